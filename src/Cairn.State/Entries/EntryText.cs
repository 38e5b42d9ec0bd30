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

    /// <summary>Finds the key in a row.</summary>
    /// <param name="row">The row.</param>
    /// <returns>The key; empty if these bytes are no row.</returns>
    public static ReadOnlySpan<byte> KeyOfRow(ReadOnlySpan<byte> row) => RowCodec.TryDecode(row, out _, out var key, out _) ? key : default;
}
