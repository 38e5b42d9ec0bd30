namespace Cairn.Raft;

/// <summary>How much a traced line matters.</summary>
public enum RaftTraceLevel
{
    /// <summary>Per message.</summary>
    Debug = 0,

    /// <summary>Changes of role, term and configuration.</summary>
    Info = 1,

    /// <summary>Something was refused.</summary>
    Warning = 2,

    /// <summary>Somebody misuses the core.</summary>
    Error = 3,
}

/// <summary>Receives what the core narrates of itself. Without a sink nothing is formatted.</summary>
/// <remarks>The lines are those of etcd-io/raft, so that its scripts can be replayed and its documentation applies.</remarks>
public interface IRaftTrace
{
    /// <summary>Takes one line. Must not call the core.</summary>
    /// <param name="level">How much it matters.</param>
    /// <param name="line">The line, without its end.</param>
    void Write(RaftTraceLevel level, string line);
}
