using Cairn.State.Mvcc;

namespace Cairn.State.Entries;

/// <summary>Entries and rows as text, for tools.</summary>
public static class EntryText
{
    /// <summary>Describes a request of the log; passwords and their hashes are left out.</summary>
    /// <param name="data">Payload of a normal entry, not empty.</param>
    /// <returns>One line.</returns>
    public static string Of(ReadOnlyMemory<byte> data)
    {
        var request = EntryDecoder.Decode(data);
        if (request is null)
        {
            return $"unknown: {Convert.ToHexString(data.Span)}";
        }

        if (request.AuthUserAdd is { } added)
        {
            (added.Password, added.HashedPassword) = ("", "");
        }

        if (request.AuthUserChangePassword is { } changed)
        {
            (changed.Password, changed.HashedPassword) = ("", "");
        }

        if (request.Authenticate is { } login)
        {
            (login.Password, login.SimpleToken) = ("", "");
        }

        return request.ToString();
    }

    /// <summary>Says of a request of the log what it is about, in one short line, without values.</summary>
    /// <param name="data">Payload of a normal entry, not empty.</param>
    /// <returns>Its kind, with key and sizes where it has them.</returns>
    public static string Summary(ReadOnlyMemory<byte> data) => EntryDecoder.Decode(data) switch
    {
        null => "unknown",
        { Put: { } put } => $"put key:\"{put.Key.ToStringUtf8()}\" value_size:{put.Value.Length} lease:{put.Lease}",
        { DeleteRange: { } deletion } => $"delete_range key:\"{deletion.Key.ToStringUtf8()}\" range_end:\"{deletion.RangeEnd.ToStringUtf8()}\"",
        { Txn: { } txn } => $"txn compares:{txn.Compare.Count} success:{txn.Success.Count} failure:{txn.Failure.Count} size:{txn.CalculateSize()}",
        { LeaseGrant: { } grant } => $"lease_grant id:{grant.ID:x} ttl:{grant.TTL}",
        { LeaseRevoke: { } revocation } => $"lease_revoke id:{revocation.ID:x}",
        { Compaction: { } compaction } => $"compaction revision:{compaction.Revision}",
        _ => $"another request of {data.Length} bytes",
    };

    /// <summary>Finds the key in a row.</summary>
    /// <param name="row">The row.</param>
    /// <returns>The key; empty if these bytes are no row.</returns>
    public static ReadOnlySpan<byte> KeyOfRow(ReadOnlySpan<byte> row) => RowCodec.TryDecode(row, out _, out var key, out _) ? key : default;
}
