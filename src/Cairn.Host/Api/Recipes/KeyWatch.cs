using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Watch;
using Google.Protobuf;

namespace Cairn.Host.Api.Recipes;

/// <summary>The changes of some keys, one by one. Owned by one call; not thread-safe.</summary>
internal sealed class KeyWatch : IDisposable
{
    private readonly WatchStream _stream;
    private readonly RequestContext _context;
    private readonly WatchCreateRequest _request;
    private readonly Queue<Event> _events = new();
    private bool _begun;

    /// <summary>Prepares to watch.</summary>
    public KeyWatch(Node node, RequestContext context, ByteString key, ByteString rangeEnd, long revision)
    {
        _stream = node.OpenWatchStream(context);
        _context = context;
        _request = new WatchCreateRequest { Key = key, RangeEnd = rangeEnd, StartRevision = revision };
    }

    /// <summary>Why there are no more changes; none while there may be, and where the watcher was ended because its history is gone: then look at the keys again.</summary>
    public NodeError Ended { get; private set; }

    /// <summary>Revision of the store at the last message.</summary>
    public ResponseHeader? Header { get; private set; }

    /// <summary>Waits for the next change.</summary>
    /// <returns>The change; null at the end.</returns>
    public async ValueTask<Event?> NextAsync()
    {
        if (!_begun)
        {
            _begun = true;
            await _stream.RequestAsync(new WatchRequest { CreateRequest = _request }, _context.Cancelled);
        }

        while (true)
        {
            if (_events.TryDequeue(out Event? change))
            {
                return change;
            }

            if (_stream.TryTake(out WatchDelivery? delivery))
            {
                WatchResponse message = delivery.ToMessage();
                if (message.Canceled)
                {
                    Ended = message.CompactRevision > 0 ? NodeError.None : NodeError.PermissionDenied;
                    return null;
                }

                Header = message.Header;
                foreach (Event each in message.Events)
                {
                    _events.Enqueue(each);
                }
            }
            else if (!await _stream.WaitAsync(_context.Cancelled))
            {
                Ended = _stream.Ended;
                return null;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();
}
