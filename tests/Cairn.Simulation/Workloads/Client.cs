using Cairn.Protocol;
using Cairn.Server;
using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Workloads;

/// <summary>Somebody who uses the store, one call after the other, and writes down what came of it.</summary>
internal abstract class Client(Workload workload, int number)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    private static readonly NodeError[] Refusals =
    [
        NodeError.TooManyRequests, NodeError.NoSpace, NodeError.DiskUnusable, NodeError.Compacted, NodeError.LeaseNotFound, NodeError.LeaseExists,
        NodeError.NotSupportedForLearner,
    ];

    private static readonly NodeError[] LeavingItOpen =
    [
        NodeError.Stopped, NodeError.Timeout, NodeError.TimeoutLeaderFailure, NodeError.TimeoutConnectionLost, NodeError.TimeoutWaitingForApply,
        NodeError.LeaderChanged, NodeError.NoLeader, NodeError.TimeoutLeaderTransfer, NodeError.DeadlineExceeded, NodeError.Canceled, NodeError.NotLeader,
    ];

    private int _values;

    protected Workload Workload => workload;

    protected Prng Prng { get; } = new(workload.World.Seed ^ (ulong)(number + 1) * 0x9E37);

    protected History History => workload.History;

    protected int Number => number;

    protected long Now => workload.World.Now;

    /// <summary>Works until the workload ends.</summary>
    public async Task RunAsync()
    {
        while (!workload.IsStopping)
        {
            await WorkAsync();
            await DelayAsync(TimeSpan.FromMilliseconds(Prng.Between(1, 150)));
        }
    }

    protected abstract Task WorkAsync();

    /// <summary>Whether a refusal may be met at all.</summary>
    protected virtual bool IsExpected(NodeError error) => Refusals.Contains(error) || LeavingItOpen.Contains(error);

    protected Task DelayAsync(TimeSpan delay) => Task.Delay(delay, workload.World.Outside.Time);

    protected string NextValue()
    {
        var value = $"{number}.{++_values}";
        return Prng.Chance(1, 20) ? value + new string('x', Prng.Below(20_000)) : value;
    }

    protected Operation Begin(string what, bool isLinearizable = true)
    {
        var operation = new Operation { Client = number, What = what, Invoked = Now, IsLinearizable = isLinearizable };
        History.Operations.Add(operation);
        return operation;
    }

    /// <summary>Calls a member, any if none is named, and notes how that ended.</summary>
    /// <returns>The answer; null without one.</returns>
    protected async Task<T?> CallAsync<T>(Operation? operation, Func<Node, ValueTask<Answer<T>>> call, SimulatedMember? member = null)
        where T : class
    {
        member ??= workload.PickMember(Prng);
        operation?.Member = member.Name;
        var (end, answer) = await workload.Link.CallAsync(member, call, Patience);
        workload.World.Note((ulong)end * 1000 + (ulong)answer.Error);
        if (end == CallEnd.Answered && !answer.Succeeded && !IsExpected(answer.Error))
        {
            workload.World.Fail($"{answer.Error} was no answer to expect: {operation}");
        }

        LastError = end == CallEnd.Answered ? answer.Error : NodeError.None;
        if (operation is not null)
        {
            operation.End = end switch
            {
                CallEnd.NotTaken => OperationEnd.Refused,
                CallEnd.Answered when answer.Succeeded => OperationEnd.Done,
                CallEnd.Answered when Refusals.Contains(answer.Error) => OperationEnd.Refused,
                _ => OperationEnd.Unknown,
            };
            operation.Returned = operation.End == OperationEnd.Unknown ? long.MaxValue : Now;
        }

        return end == CallEnd.Answered ? answer.Value : null;
    }

    /// <summary>Reads a range; the member reads the rows, before they travel.</summary>
    protected static async ValueTask<Answer<RangeResponse>> RangeAsync(Node node, RangeRequest request)
    {
        var answer = await node.RangeAsync(request, default);
        return answer.Succeeded ? answer.Value.ToMessage() : answer.Error;
    }

    /// <summary>The refusal of the last call; none if it was answered, or not at all.</summary>
    protected NodeError LastError { get; private set; }

    protected void Finish(Operation operation, ResponseHeader header)
    {
        operation.Revision = header.Revision;
        workload.World.Note((ulong)header.Revision);
        workload.Answered++;
    }
}
