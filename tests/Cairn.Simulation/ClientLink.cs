using Cairn.Server;
using Cairn.Storage;

namespace Cairn.Simulation;

/// <summary>How a call of a client ended, as the client can know it.</summary>
internal enum CallEnd
{
    /// <summary>There is an answer.</summary>
    Answered,

    /// <summary>Nobody was there to take the request.</summary>
    NotTaken,

    /// <summary>No answer came in time: it may have been done, or be done later.</summary>
    Unknown,
}

/// <summary>Brings calls of clients to members and answers back: both take time, both can be lost.</summary>
internal sealed class ClientLink(World world, Prng prng)
{
    // One in so many requests or answers is lost: often enough to meet every operation, rare enough to get on.
    private const int LossOneIn = 100;

    public bool MayLose { get; set; } = true;

    /// <summary>Calls.</summary>
    /// <typeparam name="T">What comes back.</typeparam>
    /// <param name="member">Whom.</param>
    /// <param name="call">What is called there.</param>
    /// <param name="patience">How long the client waits.</param>
    /// <returns>How it ended; the answer if there is one.</returns>
    public Task<(CallEnd End, Answer<T> Answer)> CallAsync<T>(SimulatedMember member, Func<Node, ValueTask<Answer<T>>> call, TimeSpan patience)
        where T : class
    {
        var end = new TaskCompletionSource<(CallEnd, Answer<T>)>();
        world.After(patience, world.Outside, () => end.TrySetResult((CallEnd.Unknown, default)));
        if (!IsLost())
        {
            world.After(Delay(), world.Outside, () => Deliver(member, call, end));
        }

        return end.Task;
    }

    public TimeSpan Delay() => TimeSpan.FromMicroseconds(prng.Between(50, 2000));

    private bool IsLost() => MayLose && prng.Chance(1, LossOneIn);

    private void Deliver<T>(SimulatedMember member, Func<Node, ValueTask<Answer<T>>> call, TaskCompletionSource<(CallEnd, Answer<T>)> end)
        where T : class
    {
        if (!member.IsUp || member.Node is not { } node)
        {
            end.TrySetResult((CallEnd.NotTaken, default));
            return;
        }

        var machine = member.Machine!;
        machine.Run(() => _ = ServeAsync(member, machine, node, call, end));
    }

    private async Task ServeAsync<T>(
        SimulatedMember member, Machine machine, Node node, Func<Node, ValueTask<Answer<T>>> call, TaskCompletionSource<(CallEnd, Answer<T>)> end)
        where T : class
    {
        try
        {
            var answer = await call(node);
            if (machine.IsAlive && !IsLost())
            {
                world.After(Delay(), world.Outside, () => end.TrySetResult((CallEnd.Answered, answer)));
            }
        }
        catch (CorruptionException) when (member.HasRot && node.Look().Impairment is not null)
        {
            // The damage is noted, to be repaired, and the client told of data loss: it knows nothing.
            world.After(Delay(), world.Outside, () => end.TrySetResult((CallEnd.Unknown, default)));
        }
        catch (Exception exception) when (machine.IsAlive && !member.IsExcused(exception))
        {
            world.Fail($"{machine.Name} failed to serve: {exception}");
        }
    }
}
