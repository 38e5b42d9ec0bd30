namespace Cairn.Server.Peers;

/// <summary>Asks other members questions, one request and one answer each.</summary>
public interface IPeerCalls
{
    /// <summary>Asks.</summary>
    /// <param name="url">A peer URL of the member to be asked; its name is resolved now.</param>
    /// <param name="call">The question.</param>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>The answer; <see cref="PeerAnswer.None"/> if there was none: not reached, or too late.</returns>
    ValueTask<PeerAnswer> AskAsync(string url, PeerCall call, CancellationToken cancelled);
}

/// <summary>A question to another member.</summary>
/// <param name="Path">Path on its peer port.</param>
/// <param name="Body">What is sent along, protobuf; null asks by GET.</param>
public sealed record PeerCall(string Path, ReadOnlyMemory<byte>? Body = null)
{
    /// <summary>What is sent along piece by piece, to a member that may be none of ours, and is told who asks; null for <see cref="Body"/>.</summary>
    public IAsyncEnumerable<ReadOnlyMemory<byte>>? Parts { get; init; }

    /// <summary>A question to another member of Cairn that says all by its path. Those are asked by POST only, whatever is sent along.</summary>
    /// <param name="path">Path, from the slash on.</param>
    /// <returns>The question.</returns>
    public static PeerCall Of(string path) => new(path, ReadOnlyMemory<byte>.Empty);

    /// <summary>The cluster that the one who asks is of, where no node speaks for it yet, or any more; 0 where one does, or it is of none.</summary>
    public ulong ClusterId { get; init; }

    /// <summary>The member that is asked: whoever else answers at its address refuses, as <see cref="PeerAnswer.Misdirected"/>. 0 for whoever is there.</summary>
    /// <remarks>An address proves nothing: names lead elsewhere for a while, and disks that are exchanged take their members along. What one member says must not count for two. etcd does not look at it.</remarks>
    public ulong To { get; init; }

    /// <summary>Whether it is asked by GET although something is sent along: JSON, as etcd asks for hashes.</summary>
    public bool IsGet { get; init; }
}

/// <summary>An answer of another member.</summary>
/// <param name="Status">Status of HTTP; 0 if there was no answer.</param>
/// <param name="Body">Its body.</param>
public sealed record PeerAnswer(int Status, ReadOnlyMemory<byte> Body)
{
    /// <summary>No answer.</summary>
    public static PeerAnswer None { get; } = new(0, default);

    /// <summary>Makes an answer that says no.</summary>
    /// <param name="status">Status of HTTP.</param>
    /// <param name="text">Why.</param>
    /// <returns>The answer.</returns>
    public static PeerAnswer Refuse(int status, string text) => new(status, System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>Says that somebody else should have been asked: another member, or the one that leads. Source of the status: RFC 9110, 15.5.20.</summary>
    /// <param name="text">Who.</param>
    /// <returns>The answer.</returns>
    public static PeerAnswer Misdirected(string text) => Refuse(421, text);

    /// <summary>Whether somebody else should have been asked.</summary>
    public bool IsMisdirected => Status == 421;

    /// <summary>What a refusal says.</summary>
    public string Text => System.Text.Encoding.UTF8.GetString(Body.Span);

    /// <summary>The cluster that the other belongs to; 0 if it did not say.</summary>
    public ulong ClusterId { get; init; }
}
