namespace Cairn.Storage.Wal;

/// <summary>What a record of the log is; the numbers are on disk.</summary>
/// <remarks>Source: etcd server/storage/wal/wal.go.</remarks>
internal enum WalRecordType
{
    /// <summary>Whose log it is; second record of every segment.</summary>
    Metadata = 1,

    /// <summary>An entry of the replicated log.</summary>
    Entry = 2,

    /// <summary>A hard state; ends every batch that Cairn writes.</summary>
    State = 3,

    /// <summary>The running checksum so far; first record of every segment.</summary>
    Crc = 4,

    /// <summary>A snapshot mark.</summary>
    Snapshot = 5,
}
