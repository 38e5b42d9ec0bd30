using System.Net;
using Microsoft.AspNetCore.Connections;

namespace Cairn.Host.Listening;

/// <summary>What one connection has shown of itself so far. Each connection carries one.</summary>
/// <remarks>Thread-safe: calls of one connection run beside each other.</remarks>
/// <param name="all">The places of the port.</param>
/// <param name="connection">The connection.</param>
internal sealed class Newcomer(Newcomers all, ConnectionContext connection)
{
    // Clients send the message of a call with its head, and cancel when they have waited in vain: no honest one ends a call before its message twenty times in a row.
    internal const int EmptyCallsMax = 20;

    private volatile bool _isSettled;
    private volatile bool _isCut;
    private int _emptyCalls;

    /// <summary>Whether it needs no place any more: it has brought a whole request, or has ended.</summary>
    public bool IsSettled => _isSettled;

    /// <summary>Whether it was cut; what still comes of it is not worth an answer.</summary>
    public bool IsCut
    {
        get => _isCut;
        internal set => _isCut = value;
    }

    /// <summary>Where it comes from; sockets of the file system share one address.</summary>
    internal IPAddress Address { get; } = (connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None;

    /// <summary>Its place among all that wait. Guarded by the lock of <see cref="Newcomers"/>, as the next.</summary>
    internal LinkedListNode<Newcomer>? Place { get; set; }

    /// <summary>Its place among those of its address.</summary>
    internal LinkedListNode<Newcomer>? PlaceOfAddress { get; set; }

    /// <summary>Bytes of requests of it that are not whole yet.</summary>
    internal long HeldBytes { get; set; }

    /// <summary>It keeps the server waiting: it takes a place, unless it has brought a whole request before.</summary>
    public void Wait()
    {
        if (!_isSettled)
        {
            all.Enter(this);
        }
    }

    /// <summary>Says what the server keeps of one of its requests until that is whole. It does not matter once it has brought a whole one.</summary>
    /// <param name="held">What was said of the same request before, 0 at first; kept by the caller.</param>
    /// <param name="bytes">What is kept now.</param>
    public void Hold(ref long held, long bytes)
    {
        if (!_isSettled && bytes != held)
        {
            Wait();
            all.Hold(this, bytes - held);
            held = bytes;
        }
    }

    /// <summary>It does not keep the server waiting at present.</summary>
    public void Rest() => all.Leave(this);

    /// <summary>It has brought a whole request, or a whole message.</summary>
    public void Prove()
    {
        if (Volatile.Read(ref _emptyCalls) != 0)
        {
            Volatile.Write(ref _emptyCalls, 0);
        }

        if (!_isSettled)
        {
            Settle();
        }
    }

    /// <summary>It needs no place from now on; also called when it has ended.</summary>
    public void Settle()
    {
        _isSettled = true;
        all.Leave(this);
    }

    /// <summary>A call ended, or was reset, before it had brought a message: too many of those in a row cost more than the connection is worth.</summary>
    public void NoteEmptyCall()
    {
        if (Interlocked.Increment(ref _emptyCalls) > EmptyCallsMax && !_isCut)
        {
            Cut("it ended one call after the other before its message");
        }
    }

    /// <summary>Ends the connection at once.</summary>
    public void Cut(string reason)
    {
        _isCut = true;
        connection.Abort(new ConnectionAbortedException($"The connection was cut: {reason}."));
        all.Report(connection.RemoteEndPoint, reason);
    }
}
