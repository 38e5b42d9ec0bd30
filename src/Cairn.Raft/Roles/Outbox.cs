using System.Collections.Immutable;

namespace Cairn.Raft.Roles;

/// <summary>What the next Ready sends: messages that may leave at once, and those that wait until what they promise is durable.</summary>
/// <remarks>
/// Votes and acknowledgements wait, also those that refuse: refusals may rest on state that is not durable, and they are rare.
/// A leader's acknowledgement of its own entries and a candidate's vote for itself wait here too. Source: etcd-io/raft, raft.go (send).
/// </remarks>
internal sealed class Outbox(ulong self)
{
    private readonly List<Message> _messages = [];
    private readonly List<Message> _afterAppend = [];
    private readonly List<ReadState> _readStates = [];

    public bool IsEmpty => _messages.Count == 0 && _afterAppend.Count == 0;

    /// <summary>May leave at once.</summary>
    public List<Message> Messages => _messages;

    /// <summary>Leave when everything written so far is durable.</summary>
    public List<Message> AfterAppend => _afterAppend;

    public bool HasReadStates => _readStates.Count > 0;

    public void Send(Message message)
    {
        Invariant.Holds(message.From != LocalTarget.None);
        Invariant.Holds((message.Term == 0) == MessageTypes.IsTermless(message.Type), $"{message.Type} with term {message.Term}");
        if (MessageTypes.PromisesDurability(message.Type))
        {
            _afterAppend.Add(message);
            return;
        }

        Invariant.Holds(message.To != self && message.To != LocalTarget.None, $"{message.Type} to {message.To}");
        _messages.Add(message);
    }

    public void AddReadState(ReadState state) => _readStates.Add(state);

    public ImmutableArray<ReadState> TakeReadStates()
    {
        if (_readStates.Count == 0)
        {
            return [];
        }

        var states = _readStates.ToImmutableArray();
        _readStates.Clear();
        return states;
    }

    public void ClearMessages()
    {
        _messages.Clear();
        _afterAppend.Clear();
    }
}
