namespace Cairn.Server;

/// <summary>Where things are in a data directory.</summary>
internal static class DataDirectory
{
    /// <summary>Everything of the member; the same name as etcd's.</summary>
    public const string Member = "member";

    /// <summary>The replicated log.</summary>
    public const string Wal = "member/wal";

    /// <summary>What is sound of a damaged log, until it takes the place of it.</summary>
    public const string NewLog = "member/wal.new";

    /// <summary>Manifests, segments and checkpoints.</summary>
    public const string Store = "member/store";

    /// <summary>Taken by the process that uses the directory.</summary>
    public const string Lock = "member/lock";

    /// <summary>Room for the day on which the disk is full.</summary>
    public const string Reserve = "member/reserve";

    /// <summary>A backend that a leader of etcd sends, until its rows are in the segments.</summary>
    public const string ReceivedBackend = "member/received.db";

    /// <summary>What was moved aside, by healing or by a take-over, a directory each time; never deleted by itself.</summary>
    public const string Quarantine = "quarantine";

    /// <summary>What an empty directory must know that was a member's before: written before its store goes to quarantine.</summary>
    public const string Returning = "member/returning";

    /// <summary>A person who can write here wants an evicted member to ask for a place again.</summary>
    public const string RejoinWish = "member/rejoin";

    /// <summary>A person who can write here has given up those members that do not answer: a new epoch is to be founded.</summary>
    public const string RecoveryWish = "member/recover";

    /// <summary>What a member without a leader knows of the others, for that person.</summary>
    public const string Survey = "member/survey";
}
