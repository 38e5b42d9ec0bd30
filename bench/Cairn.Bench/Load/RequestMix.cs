namespace Cairn.Bench.Load;

/// <summary>The requests of a workload: which of them comes at which place. Immutable; any thread.</summary>
internal sealed class RequestMix
{
    private readonly RequestTemplate[] _templates;
    private readonly Func<long, int> _choose;
    private readonly KeySpace _keys;

    /// <summary>A mix of several kinds of requests.</summary>
    /// <param name="keys">Where keys come from.</param>
    /// <param name="templates">The kinds.</param>
    /// <param name="choose">From the number of a request to the index of its kind.</param>
    public RequestMix(KeySpace keys, RequestTemplate[] templates, Func<long, int> choose)
    {
        _keys = keys;
        _templates = templates;
        _choose = choose;
    }

    /// <summary>Requests of one kind.</summary>
    /// <param name="keys">Where keys come from.</param>
    /// <param name="template">The kind.</param>
    public RequestMix(KeySpace keys, RequestTemplate template)
        : this(keys, [template], static _ => 0)
    {
    }

    /// <summary>Number of kinds, each of which is counted alone.</summary>
    public int Kinds => _templates.Length;

    /// <summary>Bytes of the longest request.</summary>
    public int LengthMax => _templates.Max(static template => template.Length);

    /// <summary>Writes a request.</summary>
    /// <param name="sequence">Its number.</param>
    /// <param name="destination">At least <see cref="LengthMax"/> bytes.</param>
    /// <param name="stamp">A time, for requests that carry one.</param>
    /// <returns>What was written.</returns>
    public Planned Write(long sequence, Span<byte> destination, long stamp)
    {
        var kind = _choose(sequence);
        var template = _templates[kind];
        Span<byte> key = stackalloc byte[_keys.KeySize];
        _keys.Write(sequence, key);
        template.Write(destination, key, stamp);
        return new Planned(template.Path, kind, template.Length);
    }

    /// <summary>A request that was written.</summary>
    /// <param name="Path">Path of the method.</param>
    /// <param name="Kind">Index of its kind.</param>
    /// <param name="Length">Bytes.</param>
    public readonly record struct Planned(string Path, int Kind, int Length);
}
