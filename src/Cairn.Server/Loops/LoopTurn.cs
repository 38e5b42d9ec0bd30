namespace Cairn.Server.Loops;

/// <summary>Something that waits for a loop's turn to end: another loop with work, or a caller with an answer.</summary>
internal interface ITurnFollower
{
    /// <summary>Goes on, on this thread, whose loop sleeps by now.</summary>
    void GoOnHere();

    /// <summary>Goes on somewhere else, since this thread's loop has more to do.</summary>
    void GoOnElsewhere();
}

/// <summary>The turns of loops on a thread: what a loop wakes as the last thing it does goes on where the loop ran, as soon as it sleeps.</summary>
/// <remarks>
/// A write passes from loop to loop, and each time another thread is woken that costs more than the turn itself, while this one is about to idle. Example: the
/// raft loop hands out one committed entry and sleeps; the apply loop takes it on the same thread and sleeps; the request that waited is answered there. With
/// more to do a loop calls <see cref="Release"/>, and they go on beside it. Nobody is claimed by waiting here: another thread may wake the same loop before.
/// </remarks>
internal static class LoopTurn
{
    [ThreadStatic]
    private static Followers? _followers;

    /// <summary>Runs a loop's turn, and then what it left to follow. Nothing on this thread's stack waits for the end.</summary>
    /// <param name="turn">The turn.</param>
    /// <param name="state">Its argument.</param>
    public static void Run(Action<object?> turn, object? state)
    {
        var followers = _followers ??= new Followers();
        if (followers.IsRunning)
        {
            turn(state);
            return;
        }

        followers.IsRunning = true;
        turn(state);
        RunFollowers(followers);
    }

    /// <summary>Runs something of which nothing on this thread's stack waits for the end, and then what it left to follow.</summary>
    /// <param name="first">What to run.</param>
    public static void Run(ITurnFollower first)
    {
        var followers = _followers ??= new Followers();
        followers.Items.Add(first);
        if (!followers.IsRunning)
        {
            followers.IsRunning = true;
            RunFollowers(followers);
        }
    }

    private static void RunFollowers(Followers followers)
    {
        while (followers.Next < followers.Items.Count)
        {
            followers.Items[followers.Next++].GoOnHere();
        }

        followers.Items.Clear();
        followers.Next = 0;
        followers.IsRunning = false;
    }

    /// <summary>Lets something go on after the present turn; elsewhere if this thread runs none.</summary>
    /// <param name="follower">What goes on.</param>
    public static void Follow(ITurnFollower follower)
    {
        if (_followers is { IsRunning: true } followers)
        {
            followers.Items.Add(follower);
        }
        else
        {
            follower.GoOnElsewhere();
        }
    }

    /// <summary>Lets what waits for the end of the present turn go on elsewhere: the loop has more to do.</summary>
    public static void Release()
    {
        while (_followers is { } followers && followers.Next < followers.Items.Count)
        {
            followers.Items[followers.Next++].GoOnElsewhere();
        }
    }

    private sealed class Followers
    {
        public List<ITurnFollower> Items { get; } = [];

        public int Next { get; set; }

        public bool IsRunning { get; set; }
    }
}
