using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.State;

/// <summary>What came of one entry.</summary>
/// <remarks>A value; valid for as long as it is kept.</remarks>
public readonly struct ApplyResult
{
    private readonly IMessage? _response;
    private readonly bool _isPut;

    internal ApplyResult(
        ulong requestId, StoreError error, long revision, ReadOnlyMemory<StateEvent> events, IMessage? response, ApplyEffect? effect, bool isPut)
    {
        Invariant.Holds(error == StoreError.None || events.IsEmpty);
        RequestId = requestId;
        Error = error;
        Revision = revision;
        Events = events;
        _response = response;
        Effect = effect;
        _isPut = isPut;
    }

    /// <summary>Makes what another member says of a request that it had applied.</summary>
    /// <param name="error">Why nothing was done; None if it was.</param>
    /// <param name="revision">Revision of the store after it.</param>
    /// <param name="response">The answer to the client; null after an error.</param>
    /// <returns>The result, without what happens where an entry is applied.</returns>
    public static ApplyResult OfElsewhere(StoreError error, long revision, IMessage? response) => new(0, error, revision, default, response, null, isPut: false);

    /// <summary>Id of the proposal that this answers; 0 for an entry that nobody waits for.</summary>
    public ulong RequestId { get; }

    /// <summary>Why nothing was done; None if it was.</summary>
    public StoreError Error { get; }

    /// <summary>Revision of the store after the entry.</summary>
    public long Revision { get; }

    /// <summary>What watchers hear of; empty if the key space did not change. All of one revision.</summary>
    public ReadOnlyMemory<StateEvent> Events { get; }

    /// <summary>What changed beside the key space; null if nothing did.</summary>
    public ApplyEffect? Effect { get; }

    /// <summary>Makes the answer to the client: etcd's response message, its header with the revision alone.</summary>
    /// <returns>The message, which the caller may change; null after an error, and where there is none.</returns>
    public IMessage? ToResponse() =>
        // Only the member that a client waits at needs the answer to a put, so it is not made before it is asked for.
        _isPut ? new PutResponse { Header = new ResponseHeader { Revision = Revision } } : _response;
}
