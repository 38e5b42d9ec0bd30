namespace Cairn.Storage.Wal;

/// <summary>How a log is laid out.</summary>
public sealed record WalOptions
{
    /// <summary>Bytes reserved for a segment; a batch that does not fit begins the next one. etcd's own value by default, at least 4096.</summary>
    public long SegmentBytes { get; init; } = 64_000_000;
}
