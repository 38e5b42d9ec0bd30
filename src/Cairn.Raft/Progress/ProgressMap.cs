using System.Globalization;
using System.Text;
using Cairn.Raft.Quorum;

namespace Cairn.Raft.Progress;

/// <summary>The progress of every member of the configuration, by ascending id, so that messages always leave in the same order.</summary>
internal sealed class ProgressMap : IAckedIndexes
{
    private readonly SortedList<ulong, PeerProgress> _peers = [];

    public int Count => _peers.Count;

    public PeerProgress this[ulong id]
    {
        get => _peers[id];
        set => _peers[id] = value;
    }

    public ulong IdAt(int place) => _peers.GetKeyAtIndex(place);

    public PeerProgress At(int place) => _peers.GetValueAtIndex(place);

    public PeerProgress? Find(ulong id) => _peers.GetValueOrDefault(id);

    public bool Contains(ulong id) => _peers.ContainsKey(id);

    public void Remove(ulong id) => _peers.Remove(id);

    public bool TryGetAckedIndex(ulong voter, out ulong index)
    {
        var peer = Find(voter);
        index = peer?.Match ?? 0;
        return peer is not null;
    }

    /// <summary>A map whose peers can be changed without touching this one's, in-flight windows excepted.</summary>
    public ProgressMap Clone()
    {
        var copy = new ProgressMap();
        for (var i = 0; i < Count; i++)
        {
            copy[IdAt(i)] = At(i).Clone();
        }

        return copy;
    }

    /// <summary>Prints as traces do, a line each.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        for (var i = 0; i < Count; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"{IdAt(i)}: {At(i)}\n");
        }

        return text.ToString();
    }
}
