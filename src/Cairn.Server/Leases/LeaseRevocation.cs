using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Server.Leases;

/// <summary>Recognizes a revocation among the payloads of entries, by its first byte: its field comes before the header's.</summary>
internal static class LeaseRevocation
{
    private const byte Tag = (InternalRaftRequest.LeaseRevokeFieldNumber << 3) | 2;

    /// <summary>Reads whose lease a payload revokes.</summary>
    /// <param name="payload">Payload of an entry.</param>
    /// <param name="lease">Id of the lease.</param>
    /// <returns>False if it is no revocation.</returns>
    public static bool TryRead(ReadOnlySpan<byte> payload, out long lease)
    {
        lease = 0;
        if (payload.IsEmpty || payload[0] != Tag)
        {
            return false;
        }

        try
        {
            lease = InternalRaftRequest.Parser.ParseGuarded(payload).LeaseRevoke?.ID ?? 0;
            return lease != 0;
        }
        catch (InvalidProtocolBufferException)
        {
            // The state machine will have nothing to do with it either.
            return false;
        }
    }
}
