using Cairn.Raft;

namespace Cairn.Server.Loops;

/// <summary>What others report to the raft loop, in one queue, so that it keeps the order.</summary>
internal readonly struct RaftCompletion
{
    /// <summary>What was reported.</summary>
    public enum Report
    {
        /// <summary>The batch of the log is durable, or failed.</summary>
        LogWritten,

        /// <summary>Entries were applied and are visible.</summary>
        Applied,

        /// <summary>A configuration change was applied by the state machine.</summary>
        ConfChange,

        /// <summary>Something to do on the loop.</summary>
        Call,
    }

    /// <summary>What was reported.</summary>
    public Report Kind { get; private init; }

    /// <summary>Why the log was not written.</summary>
    public Exception? Failure { get; private init; }

    /// <summary>The message whose entries were applied.</summary>
    public Message? Message { get; private init; }

    /// <summary>The change.</summary>
    public ConfChange Change { get; private init; }

    /// <summary>What to do.</summary>
    public Action<RaftNode>? Action { get; private init; }

    /// <summary>Reports the end of a batch of the log.</summary>
    /// <param name="failure">Why it was not written; null if it is durable.</param>
    /// <returns>The report.</returns>
    public static RaftCompletion OfLog(Exception? failure) => new() { Kind = Report.LogWritten, Failure = failure };

    /// <summary>Reports applied entries.</summary>
    /// <param name="message">The message that brought them.</param>
    /// <returns>The report.</returns>
    public static RaftCompletion OfApply(Message message) => new() { Kind = Report.Applied, Message = message };

    /// <summary>Reports a configuration change, before the <see cref="OfApply"/> of its message.</summary>
    /// <param name="change">The change; with member 0 if the state machine refused it.</param>
    /// <returns>The report.</returns>
    public static RaftCompletion OfConfChange(ConfChange change) => new() { Kind = Report.ConfChange, Change = change };

    /// <summary>Asks for a call on the loop.</summary>
    /// <param name="action">What to do with the core.</param>
    /// <returns>The report.</returns>
    public static RaftCompletion OfCall(Action<RaftNode> action) => new() { Kind = Report.Call, Action = action };
}
