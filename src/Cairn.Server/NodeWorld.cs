using Cairn.Server.Auth;
using Cairn.Server.Peers;
using Cairn.Storage;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;
using Microsoft.Extensions.Logging;

namespace Cairn.Server;

/// <summary>Everything a node touches of the world: so that a whole cluster can run in one thread, from one seed.</summary>
public sealed record NodeWorld
{
    /// <summary>The files of the data directory. Disposed with the node if it can be.</summary>
    public required IDisk Disk { get; init; }

    /// <summary>Source of time.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>Seed of everything that is left to chance.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Reaches the other members; null for a member that is alone.</summary>
    public IPeerTransport? Transport { get; init; }

    /// <summary>Asks the other members; null for a member that is alone.</summary>
    public IPeerCalls? Calls { get; init; }

    /// <summary>Answers the other members from before there is a node.</summary>
    public Reception Reception { get; init; } = new();

    /// <summary>Where passwords are hashed.</summary>
    public IHeavyWork HeavyWork { get; init; } = new InlineWork();

    /// <summary>Fills bytes with chance that nobody can predict; from the seed where a world is simulated.</summary>
    public Action<Span<byte>> Secrets { get; init; } = System.Security.Cryptography.RandomNumberGenerator.Fill;

    /// <summary>Where log lines go.</summary>
    public required ILoggerFactory LoggerFactory { get; init; }

    /// <summary>How the log is laid out; smaller where a disk is simulated.</summary>
    internal WalOptions WalOptions { get; init; } = new();

    /// <summary>Bytes of a chunk of a state; smaller where a network is simulated.</summary>
    internal int TransferChunkBytes { get; init; } = Transfer.TransferLimits.ChunkBytes;

    /// <summary>How the segments are laid out; smaller where a disk is simulated.</summary>
    internal RevisionLogOptions RevisionLogOptions { get; init; } = new();
}
