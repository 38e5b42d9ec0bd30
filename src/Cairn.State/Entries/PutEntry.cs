using System.Text;
using Cairn.Protocol;
using Cairn.State.Auth;
using Cairn.State.Mvcc;
using Google.Protobuf;

namespace Cairn.State.Entries;

/// <summary>An entry that is a plain put, read in place: the one request whose path must not allocate what it does not keep.</summary>
internal ref struct PutEntry
{
    private const ulong HeaderTag = (100 << 3) | 2;
    private const ulong PutTag = (4 << 3) | 2;

    private ReadOnlySpan<byte> _userName;

    public ulong RequestId;
    public ulong AuthRevision;
    public ReadOnlySpan<byte> Key;
    public ReadOnlySpan<byte> Value;
    public long Lease;
    public bool WantsPrevious;
    public bool IgnoresValue;
    public bool IgnoresLease;

    public readonly AuthIdentity Identity => new(Encoding.UTF8.GetString(_userName), AuthRevision);

    /// <summary>Reads an InternalRaftRequest that holds a header and a put and nothing else.</summary>
    /// <returns>False if it holds anything else: the generated parser will know what.</returns>
    public static bool TryDecode(ReadOnlySpan<byte> data, out PutEntry entry)
    {
        entry = default;
        ReadOnlySpan<byte> header = default;
        ReadOnlySpan<byte> put = default;
        var reader = new WireReader(data);
        while (reader.TryReadTag(out var tag))
        {
            if (tag == HeaderTag && header.IsEmpty)
            {
                header = reader.ReadBytes();
            }
            else if (tag == PutTag && put.IsEmpty)
            {
                put = reader.ReadBytes();
            }
            else
            {
                return false;
            }
        }

        return !reader.IsBroken && !header.IsEmpty && !put.IsEmpty && entry.TryReadHeader(header) && entry.TryReadPut(put);
    }

    /// <summary>Makes the request as a message.</summary>
    public readonly PutRequest ToRequest() => new()
    {
        Key = ByteString.CopyFrom(Key),
        Value = ByteString.CopyFrom(Value),
        Lease = Lease,
        PrevKv = WantsPrevious,
        IgnoreValue = IgnoresValue,
        IgnoreLease = IgnoresLease,
    };

    private bool TryReadHeader(ReadOnlySpan<byte> header)
    {
        var reader = new WireReader(header);
        while (reader.TryReadTag(out var tag))
        {
            switch (tag)
            {
                case 0x08:
                    RequestId = reader.ReadVarint();
                    break;
                case 0x12:
                    _userName = reader.ReadBytes();
                    break;
                case 0x18:
                    AuthRevision = reader.ReadVarint();
                    break;
                default:
                    return false;
            }
        }

        return !reader.IsBroken;
    }

    private bool TryReadPut(ReadOnlySpan<byte> put)
    {
        var reader = new WireReader(put);
        while (reader.TryReadTag(out var tag))
        {
            switch (tag)
            {
                case 0x0A:
                    Key = reader.ReadBytes();
                    break;
                case 0x12:
                    Value = reader.ReadBytes();
                    break;
                case 0x18:
                    Lease = (long)reader.ReadVarint();
                    break;
                case 0x20:
                    WantsPrevious = reader.ReadVarint() != 0;
                    break;
                case 0x28:
                    IgnoresValue = reader.ReadVarint() != 0;
                    break;
                case 0x30:
                    IgnoresLease = reader.ReadVarint() != 0;
                    break;
                default:
                    return false;
            }
        }

        return !reader.IsBroken && !Key.IsEmpty;
    }
}
