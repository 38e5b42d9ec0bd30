using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Cairn.Raft.Quorum;

/// <summary>A set of member ids, immutable, ascending: what the sets of a configuration are made of.</summary>
internal sealed class MemberSet
{
    private readonly ImmutableArray<ulong> _ids;

    private MemberSet(ImmutableArray<ulong> ids) => _ids = ids;

    public static MemberSet Empty { get; } = new([]);

    public int Count => _ids.Length;

    public bool IsEmpty => _ids.IsEmpty;

    public ImmutableArray<ulong> Ids => _ids;

    public static MemberSet Of(params ReadOnlySpan<ulong> ids)
    {
        var set = Empty;
        foreach (var id in ids)
        {
            set = set.With(id);
        }

        return set;
    }

    public bool Contains(ulong id) => _ids.BinarySearch(id) >= 0;

    public MemberSet With(ulong id)
    {
        var place = _ids.BinarySearch(id);
        return place >= 0 ? this : new MemberSet(_ids.Insert(~place, id));
    }

    public MemberSet Without(ulong id)
    {
        var place = _ids.BinarySearch(id);
        if (place < 0)
        {
            return this;
        }

        return Count == 1 ? Empty : new MemberSet(_ids.RemoveAt(place));
    }

    public MemberSet Union(MemberSet other)
    {
        var union = this;
        foreach (var id in other._ids)
        {
            union = union.With(id);
        }

        return union;
    }

    /// <summary>Counts the ids that are in exactly one of the two sets.</summary>
    public int DifferenceFrom(MemberSet other)
    {
        var common = 0;
        foreach (var id in _ids)
        {
            common += other.Contains(id) ? 1 : 0;
        }

        return Count + other.Count - (2 * common);
    }

    /// <summary>Prints as traces do: <c>(1 2 3)</c>.</summary>
    public override string ToString()
    {
        var text = new StringBuilder("(");
        foreach (var id in _ids)
        {
            text.Append(text.Length > 1 ? " " : string.Empty).Append(id.ToString(CultureInfo.InvariantCulture));
        }

        return text.Append(')').ToString();
    }
}
