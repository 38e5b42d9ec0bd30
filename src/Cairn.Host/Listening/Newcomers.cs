using System.Net;

namespace Cairn.Host.Listening;

/// <summary>
/// The connections of one port that keep the server waiting and have never brought a whole request: silent ones, those in the middle of a handshake, of a head, of the first message of
/// their first call. There are so many places, and so many bytes for what they have sent of requests that are not whole; when either is used up the one that has waited longest makes
/// room, so that a flood of them costs bounded memory and keeps nobody out.
/// </summary>
/// <remarks>An address that holds more than its share makes room by itself, so that whoever is slow elsewhere is not cut for it. Thread-safe.</remarks>
/// <param name="wasCut">Told of connections that were cut: who, and why.</param>
internal sealed class Newcomers(Action<EndPoint?, string> wasCut)
{
    // One that waits costs a descriptor and a few kilobytes, some forty once a call over HTTP/2 has begun; honest ones wait for milliseconds.
    internal const int PlacesMax = 1024;

    // Several addresses have to be slow at once before one is cut that holds less than a quarter.
    internal const int ShareMax = PlacesMax / 4;

    // A message may have two megabytes, and comes whole within moments but over the slowest of lines: some thirty of those may be under way on new connections.
    internal const long HeldBytesMax = 64L * 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly LinkedList<Newcomer> _all = new();
    private readonly Dictionary<IPAddress, LinkedList<Newcomer>> _ofAddress = [];
    private long _heldBytes;

    /// <summary>How many wait.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _all.Count;
            }
        }
    }

    /// <summary>Bytes of requests that are not whole yet.</summary>
    public long HeldBytes
    {
        get
        {
            lock (_lock)
            {
                return _heldBytes;
            }
        }
    }

    /// <summary>Gives a place to a connection that has none and needs one.</summary>
    internal void Enter(Newcomer newcomer)
    {
        Newcomer? makesRoom = null;
        lock (_lock)
        {
            if (newcomer.IsSettled || newcomer.IsCut || newcomer.Place is not null)
            {
                return;
            }

            if (_all.Count >= PlacesMax)
            {
                bool hasItsShare = _ofAddress.TryGetValue(newcomer.Address, out LinkedList<Newcomer>? own) && own.Count >= ShareMax;
                makesRoom = (hasItsShare ? own! : _all).First!.Value; // Both have someone: the share and the number of places are above zero.
                GiveUp_NeedsLock(makesRoom);
            }

            if (!_ofAddress.TryGetValue(newcomer.Address, out LinkedList<Newcomer>? neighbours))
            {
                _ofAddress.Add(newcomer.Address, neighbours = new LinkedList<Newcomer>());
            }

            newcomer.Place = _all.AddLast(newcomer);
            newcomer.PlaceOfAddress = neighbours.AddLast(newcomer);
        }

        makesRoom?.Cut("it brought no whole request, and others wait");
    }

    /// <summary>Counts what a connection with a place holds of requests that are not whole.</summary>
    /// <param name="newcomer">The connection.</param>
    /// <param name="bytes">How much more than before; negative for less.</param>
    internal void Hold(Newcomer newcomer, long bytes)
    {
        Newcomer? makesRoom = null;
        lock (_lock)
        {
            if (newcomer.Place is null)
            {
                return;
            }

            newcomer.HeldBytes += bytes;
            _heldBytes += bytes;
            Invariant.Holds(newcomer.HeldBytes >= 0);
            if (_heldBytes > HeldBytesMax)
            {
                LinkedList<Newcomer> own = _ofAddress[newcomer.Address];
                bool hasItsShare = own.Sum(static each => each.HeldBytes) > HeldBytesMax / 4;
                makesRoom = (hasItsShare ? own : _all).First(static each => each.HeldBytes > 0);
                GiveUp_NeedsLock(makesRoom);
            }
        }

        makesRoom?.Cut("its request did not become whole, and those of others wait");
    }

    /// <summary>Takes the place of a connection back, if it has one.</summary>
    internal void Leave(Newcomer newcomer)
    {
        lock (_lock)
        {
            Remove_NeedsLock(newcomer);
        }
    }

    /// <summary>Says that a connection was cut.</summary>
    internal void Report(EndPoint? remote, string reason) => wasCut(remote, reason);

    /// <summary>Takes the place of a connection that is about to be cut: whatever it still begins, it gets no other.</summary>
    private void GiveUp_NeedsLock(Newcomer newcomer)
    {
        newcomer.IsCut = true;
        Remove_NeedsLock(newcomer);
    }

    private void Remove_NeedsLock(Newcomer newcomer)
    {
        if (newcomer.Place is null)
        {
            return;
        }

        _all.Remove(newcomer.Place);
        LinkedList<Newcomer> neighbours = _ofAddress[newcomer.Address];
        neighbours.Remove(newcomer.PlaceOfAddress!); // Both places are taken and given back together.
        if (neighbours.Count == 0)
        {
            _ofAddress.Remove(newcomer.Address);
        }

        newcomer.Place = newcomer.PlaceOfAddress = null;
        _heldBytes -= newcomer.HeldBytes;
        newcomer.HeldBytes = 0;
    }
}
