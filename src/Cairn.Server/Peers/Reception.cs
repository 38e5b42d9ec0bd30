using System.Collections.Immutable;
using Cairn.Protocol.Peers;
using Google.Protobuf;

namespace Cairn.Server.Peers;

/// <summary>Answers what is asked of a member, from before there is a node; and says why there is none yet. Thread-safe.</summary>
public sealed class Reception
{
    // Who spoke to this member as to one that it knows; a few are enough to find the cluster.
    private const int CallersMax = 8;

    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Func<PeerCall, CancellationToken, ValueTask<PeerAnswer>>? _answerer;
    private volatile string? _waiting;
    private long _saidAt;
    private ImmutableArray<string> _callers = [];

    /// <summary>Completes when the member may be asked: its data directory is its own, and says durably who it is.</summary>
    public Task Opened => _opened.Task;

    /// <summary>For what the member waits before it can serve; null if it does not wait.</summary>
    public string? Waiting
    {
        get => _waiting;
        private set => _waiting = value;
    }

    /// <summary>Peer URLs of those who spoke to this member as to one that they know.</summary>
    internal ImmutableArray<string> Callers
    {
        get
        {
            lock (_lock)
            {
                return _callers;
            }
        }
    }

    /// <summary>Answers.</summary>
    /// <param name="call">The question.</param>
    /// <param name="cancelled">The other does not wait any longer.</param>
    /// <returns>The answer; <see cref="PeerAnswer.None"/> if there is no such question, or nobody to answer it yet.</returns>
    public ValueTask<PeerAnswer> AnswerAsync(PeerCall call, CancellationToken cancelled) => _answerer?.Invoke(call, cancelled) ?? new(PeerAnswer.None);

    /// <summary>Notes that somebody spoke to this member as to one that it knows, before there is a node.</summary>
    /// <param name="peerUrls">Where it is to be reached.</param>
    public void NoteCaller(IReadOnlyList<string> peerUrls)
    {
        lock (_lock)
        {
            _callers = [.. _callers.Union(peerUrls, StringComparer.Ordinal).Take(CallersMax)];
        }
    }

    /// <summary>Notes a member that shows itself: one of a cluster of the same token may be asked for a place in it, wherever it has moved to.</summary>
    /// <param name="shown">What it shows; null if that could not be read.</param>
    /// <param name="tokenHash">The hash of this member's token.</param>
    internal void NoteCaller(Handshake? shown, ByteString tokenHash)
    {
        if (shown is { Standing: Standing.Member } && shown.TokenHash.Equals(tokenHash))
        {
            NoteCaller(shown.PeerUrls);
        }
    }

    /// <summary>Notes for what the member waits. One caller at a time.</summary>
    /// <param name="reason">A sentence for those who look.</param>
    /// <param name="time">Tells when it was last said.</param>
    /// <param name="repeatEvery">How often the same is said again.</param>
    /// <returns>True if it is to be said now: it is another reason, or the last time is long ago.</returns>
    internal bool WaitFor(string reason, TimeProvider time, TimeSpan repeatEvery)
    {
        var isNews = reason != Waiting || time.GetElapsedTime(_saidAt) >= repeatEvery;
        Waiting = reason;
        if (isNews)
        {
            _saidAt = time.GetTimestamp();
        }

        return isNews;
    }

    /// <summary>The member waits no longer.</summary>
    internal void StopWaiting() => Waiting = null;

    /// <summary>Answers from now on.</summary>
    /// <param name="answerer">How.</param>
    internal void Open(Func<PeerCall, CancellationToken, ValueTask<PeerAnswer>> answerer)
    {
        _answerer = answerer;
        _opened.TrySetResult();
    }
}
