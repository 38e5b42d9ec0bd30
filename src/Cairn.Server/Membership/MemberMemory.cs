using System.Collections.Immutable;
using Cairn.Protocol;
using Cairn.Protocol.Peers;
using Google.Protobuf;

namespace Cairn.Server.Membership;

/// <summary>What a member remembers for itself beside the replicated state; part of each manifest. Thread-safe.</summary>
internal sealed class MemberMemory
{
    private volatile FoundingRecord? _founding;
    private volatile EpochPromise? _promise;
    private volatile EpochDecree? _decree;
    private volatile string _fenced = "";
    private volatile string _loss = "";
    private volatile ImmutableList<Dispute> _disputes = [];
    private volatile string _split = "";
    private volatile bool _isEvicted;
    private volatile bool _isRemoved;

    private MemberMemory(RememberedState state)
    {
        _founding = state.Founding;
        _promise = state.Promise;
        _decree = state.Decree;
        _fenced = state.Fenced;
        _disputes = [.. state.Disputes];
        _split = state.Split;
        _isEvicted = state.IsEvicted;
        _isRemoved = state.IsRemoved;
        Quarantine = state.Quarantine;
        Replaces = state.Replaces;
        LastMembers = [.. state.LastMembers];
        StoreDamage = state.StoreDamage;
        StoreSources = [.. state.StoreSources];
        _loss = state.Loss;
        Marks = new MemberMarks(state.Marks.Select(mark => KeyValuePair.Create(mark.MemberId, new PeerMark
        {
            Process = new ProcessIdentity(mark.Incarnation, mark.StartCounter, mark.Nonce),
            Term = mark.Term,
            Index = mark.Index,
            CommittedIndex = mark.CommittedIndex,
            JudgedAt = mark.JudgedAt,
            PromisedBy = mark.PromisedBy,
        })));
    }

    /// <summary>What other members were seen to have promised.</summary>
    public MemberMarks Marks { get; }

    /// <summary>Who founded the cluster; null if this member joined it later, or has none yet.</summary>
    public FoundingRecord? Founding
    {
        get => _founding;
        set => _founding = value;
    }

    /// <summary>The new epoch for which this directory gave up what it may do in its cluster; null if it did not. Immutable.</summary>
    public EpochPromise? Promise
    {
        get => _promise;
        set => _promise = value;
    }

    /// <summary>The epoch that the next start on this directory founds; null if it does not. Immutable.</summary>
    public EpochDecree? Decree
    {
        get => _decree;
        set => _decree = value;
    }

    /// <summary>Why this data directory must not speak for its member; empty if it may.</summary>
    public string Fenced
    {
        get => _fenced;
        set => _fenced = value;
    }

    /// <summary>Who does not hear this directory, and has not been overruled. Immutable.</summary>
    public ImmutableList<Dispute> Disputes
    {
        get => _disputes;
        set => _disputes = value;
    }

    /// <summary>The other cluster that claims its place, for which the alarm was raised, in words; empty if there is none.</summary>
    public string Split
    {
        get => _split;
        set => _split = value;
    }

    /// <summary>Whether this directory may neither vote nor acknowledge, nor hear anybody.</summary>
    public bool IsSilent => _fenced.Length > 0 || _promise is not null || !_disputes.IsEmpty;

    /// <summary>Whether the member was removed for good.</summary>
    public bool IsEvicted
    {
        get => _isEvicted;
        set => _isEvicted = value;
    }

    /// <summary>Whether the member was removed, and not for good: at the next start its directory asks to be taken in again.</summary>
    public bool IsRemoved
    {
        get => _isRemoved;
        set => _isRemoved = value;
    }

    /// <summary>The directory in quarantine to which everything here is being moved; empty if nothing is. Set at start only.</summary>
    public string Quarantine { get; set; }

    /// <summary>The member that this directory was before what it held went to quarantine; 0 if it was none. Set at start only.</summary>
    public ulong Replaces { get; set; }

    /// <summary>The other members as they were when this one was removed: whom its directory asks to be taken in again. Replaced as a whole.</summary>
    public ImmutableArray<KnownMember> LastMembers { get; set; }

    /// <summary>Why the store must be fetched again from other members before anything of it is served; empty if it need not be. Set before the node stops.</summary>
    public string StoreDamage { get; set; }

    /// <summary>Peer URLs of those to fetch it from; empty for all other members.</summary>
    public ImmutableArray<string> StoreSources { get; set; }

    /// <summary>What log or store lost that clients may have been told: nothing is written before the alarm says so. Empty if nothing, or once it does.</summary>
    public string Loss
    {
        get => _loss;
        set => _loss = value;
    }

    /// <summary>Reads what <see cref="Encode"/> wrote.</summary>
    /// <param name="bytes">From a manifest, which has verified them; empty for a new directory.</param>
    /// <returns>The memory.</returns>
    public static MemberMemory Read(ReadOnlySpan<byte> bytes) => new(RememberedState.Parser.ParseGuarded(bytes));

    /// <summary>Writes all of it.</summary>
    /// <returns>Bytes for a manifest.</returns>
    public byte[] Encode()
    {
        var state = new RememberedState
        {
            Founding = Founding,
            Fenced = Fenced,
            Split = Split,
            IsEvicted = IsEvicted,
            IsRemoved = IsRemoved,
            Quarantine = Quarantine,
            Replaces = Replaces,
            Promise = Promise,
            Decree = Decree,
            StoreDamage = StoreDamage,
            Loss = Loss,
        };
        state.LastMembers.AddRange(LastMembers);
        state.StoreSources.AddRange(StoreSources);
        state.Disputes.AddRange(Disputes);
        state.Marks.AddRange(Marks.All.Select(pair => new Protocol.Peers.PeerMark
        {
            MemberId = pair.Key,
            Incarnation = pair.Value.Process.Incarnation,
            StartCounter = pair.Value.Process.StartCounter,
            Nonce = pair.Value.Process.Nonce,
            Term = pair.Value.Term,
            Index = pair.Value.Index,
            CommittedIndex = pair.Value.CommittedIndex,
            JudgedAt = pair.Value.JudgedAt,
            PromisedBy = pair.Value.PromisedBy,
        }));
        return state.ToByteArray();
    }
}
