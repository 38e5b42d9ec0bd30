namespace Cairn.Server.Transfer;

/// <summary>Bounds of handing states from member to member.</summary>
internal static class TransferLimits
{
    /// <summary>The format of chunks that this version writes and reads.</summary>
    public const uint Format = 1;

    /// <summary>Bytes of a chunk's content, about: large beside what a request costs, small beside memory.</summary>
    public const int ChunkBytes = 256 << 10;

    /// <summary>States that one member sends at a time: each holds files that could otherwise be deleted, and takes its share of the disk.</summary>
    public const int SessionsMax = 2;

    /// <summary>Bytes that may leave at once after a pause, before the rate counts.</summary>
    public const long BurstBytesMax = 4 << 20;

    /// <summary>Silence after which a sender gives a receiver up: several times what a receiver waits between two attempts.</summary>
    public static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(15);

    /// <summary>How long a receiver waits for a chunk; the throttle may hold it up, and a slow link.</summary>
    public static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(5);

    /// <summary>How long a receiver waits for what it is applying, before it asks for what lies behind that; less than <see cref="SilenceMax"/>.</summary>
    public static readonly TimeSpan ApplyWithin = TimeSpan.FromSeconds(10);

    /// <summary>How long a receiver of a whole backend may take over it once it has all of it.</summary>
    public static readonly TimeSpan TakenWithin = TimeSpan.FromMinutes(5);

    /// <summary>How long the log keeps what lies behind a backend that was sent: until its receiver has opened it and is heard again. As etcd.</summary>
    public static readonly TimeSpan HoldAfter = TimeSpan.FromSeconds(30);

    /// <summary>Pause before a receiver asks again for what did not come.</summary>
    public static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(250);

    /// <summary>Attempts for one chunk; with the pauses less than <see cref="SilenceMax"/> if the sender refuses connections.</summary>
    public const int AttemptsMax = 20;

    /// <summary>Pause before the next offer after one that came to nothing; doubles up to <see cref="BackOffMax"/>.</summary>
    public static readonly TimeSpan BackOffMin = TimeSpan.FromMilliseconds(250);

    /// <summary>Longest pause between offers: a member that comes back is fed within seconds.</summary>
    public static readonly TimeSpan BackOffMax = TimeSpan.FromSeconds(5);

    /// <summary>Interval of the lines about progress.</summary>
    public static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(10);
}
