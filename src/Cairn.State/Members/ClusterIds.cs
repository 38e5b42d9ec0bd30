using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Cairn.State.Members;

/// <summary>Computes ids as etcd does, so that the same flags give the same cluster.</summary>
/// <remarks>Source: etcd server/etcdserver/api/membership/member.go, cluster.go.</remarks>
public static class ClusterIds
{
    /// <summary>Computes the id of a member.</summary>
    /// <param name="peerUrls">Its peer URLs.</param>
    /// <param name="token">Token of a new cluster; empty when a member is added to a running one.</param>
    /// <param name="addedAt">When it was added to a running cluster, in seconds of Unix time; null for a new cluster.</param>
    /// <returns>The id.</returns>
    public static ulong OfMember(IEnumerable<string> peerUrls, string token, long? addedAt)
    {
        ArgumentNullException.ThrowIfNull(peerUrls);
        var text = new StringBuilder();
        foreach (var url in peerUrls.Order(StringComparer.Ordinal))
        {
            text.Append(url);
        }

        text.Append(token);
        if (addedAt is { } moment)
        {
            text.Append(CultureInfo.InvariantCulture, $"{moment}");
        }

        return FirstEightBytes(Encoding.UTF8.GetBytes(text.ToString()));
    }

    /// <summary>Computes the id of a new cluster.</summary>
    /// <param name="memberIds">Ids of its first members.</param>
    /// <returns>The id.</returns>
    public static ulong OfCluster(IEnumerable<ulong> memberIds)
    {
        var sorted = memberIds.Order().ToArray();
        var bytes = new byte[sorted.Length * sizeof(ulong)];
        for (var i = 0; i < sorted.Length; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(i * sizeof(ulong)), sorted[i]);
        }

        return FirstEightBytes(bytes);
    }

    private static ulong FirstEightBytes(ReadOnlySpan<byte> input)
    {
        // An identifier, not a defence: SHA-1 because the ids of existing clusters were computed with it.
        Span<byte> hash = stackalloc byte[SHA1.HashSizeInBytes];
#pragma warning disable CA5350 // Compatibility with ids that etcd computed.
        SHA1.HashData(input, hash);
#pragma warning restore CA5350
        return BinaryPrimitives.ReadUInt64BigEndian(hash);
    }
}
