using Cairn.Raft.Wire;

namespace Cairn.Raft.Log;

/// <summary>Sizes of entries, by which messages and batches are limited.</summary>
/// <remarks>Source: etcd-io/raft, util.go (limitSize, payloadsSize).</remarks>
internal static class EntryLimits
{
    /// <summary>The longest prefix whose encoded sizes sum up to no more than a limit; one entry in any case.</summary>
    public static ReadOnlyMemory<Entry> Fit(ReadOnlyMemory<Entry> entries, ulong bytesMax)
    {
        if (bytesMax == ulong.MaxValue)
        {
            return entries;
        }

        var span = entries.Span;
        ulong size = 0;
        for (var i = 0; i < span.Length; i++)
        {
            size += (ulong)EntryWire.Size(span[i]);
            if (size > bytesMax && i > 0)
            {
                return entries[..i];
            }
        }

        return entries;
    }

    /// <summary>The payload bytes of entries: what their proposers put in. An entry that only begins a term weighs nothing.</summary>
    public static ulong PayloadBytes(ReadOnlySpan<Entry> entries)
    {
        ulong size = 0;
        foreach (ref readonly var entry in entries)
        {
            size += (ulong)entry.Data.Length;
        }

        return size;
    }
}
