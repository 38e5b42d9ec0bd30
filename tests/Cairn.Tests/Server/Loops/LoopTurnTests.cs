using Cairn.Server.Loops;
using Xunit;

namespace Cairn.Tests.Server.Loops;

public sealed class LoopTurnTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task What_follows_a_turn_goes_on_after_it_on_the_same_thread()
    {
        var (first, second) = (new AsyncSignal(), new AsyncSignal());
        var follower = ThreadAfter(second);
        var leader = RunAfter(first, () =>
        {
            second.SetAfterTurn();
            Assert.False(follower.IsCompleted);
            return Environment.CurrentManagedThreadId;
        });

        first.Set();

        Assert.Equal(await leader.WaitAsync(Bound), await follower.WaitAsync(Bound));
    }

    [Fact]
    public async Task A_loop_with_more_to_do_lets_what_follows_go_on_beside_it()
    {
        var (first, second) = (new AsyncSignal(), new AsyncSignal());
        var follower = ThreadAfter(second);
        var leader = RunAfter(first, () =>
        {
            second.SetAfterTurn();
            LoopTurn.Release();

            // This turn does not end before the other loop has run: so it ran elsewhere.
            Assert.True(follower.Wait(Bound));
            return Environment.CurrentManagedThreadId;
        });

        first.Set();

        Assert.NotEqual(await leader.WaitAsync(Bound), await follower);
    }

    [Fact]
    public async Task Another_thread_may_wake_a_loop_that_waits_for_the_end_of_a_turn()
    {
        var (first, second) = (new AsyncSignal(), new AsyncSignal());
        var follower = ThreadAfter(second);
        var leader = RunAfter(first, () =>
        {
            second.SetAfterTurn();
            new Thread(second.Set).Start();
            Assert.True(follower.Wait(Bound));
            return 0;
        });

        first.Set();

        await leader.WaitAsync(Bound);
    }

    [Fact]
    public async Task Outside_a_turn_nothing_waits_for_one()
    {
        var signal = new AsyncSignal();
        var follower = ThreadAfter(signal);

        signal.SetAfterTurn();

        await follower.WaitAsync(Bound);
    }

    [Fact]
    public async Task Two_loops_that_wake_each_other_at_the_end_of_their_turns_lose_no_wake()
    {
        const int Rounds = 100_000;
        var (ping, pong) = (new AsyncSignal(), new AsyncSignal());
        var first = AlternateAsync(ping, pong, Rounds);
        var second = AlternateAsync(pong, ping, Rounds);

        ping.Set();

        await Task.WhenAll(first, second).WaitAsync(Bound);
    }

    [Fact]
    public async Task A_loop_on_a_scheduler_of_its_own_goes_on_there()
    {
        var pair = new ConcurrentExclusiveSchedulerPair();
        var (signal, waits) = (new AsyncSignal(), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var loop = Task.Factory.StartNew(
            async () =>
            {
                var wait = signal.WaitAsync();
                waits.SetResult();
                await wait;
                return TaskScheduler.Current;
            },
            CancellationToken.None,
            TaskCreationOptions.None,
            pair.ExclusiveScheduler).Unwrap();
        await waits.Task;

        signal.SetAndRun();

        Assert.Same(pair.ExclusiveScheduler, await loop.WaitAsync(Bound));
    }

    private static Task<int> ThreadAfter(AsyncSignal signal) => RunAfter(signal, static () => Environment.CurrentManagedThreadId);

    private static async Task<T> RunAfter<T>(AsyncSignal signal, Func<T> act)
    {
        await signal.WaitAsync();
        return act();
    }

    private static async Task AlternateAsync(AsyncSignal mine, AsyncSignal other, int rounds)
    {
        for (var round = 0; round < rounds; round++)
        {
            await mine.WaitAsync();
            other.SetAfterTurn();
        }
    }
}
