namespace Cairn.Simulation.Disks;

/// <summary>A file without a name: what is on the platter, what the page cache shows, and the changes between the two.</summary>
internal sealed class SimulatedInode
{
    private const int SectorBytes = 512;

    private readonly List<Change> _dirty = [];
    private SimulatedContent _platter = new();

    /// <summary>What reads see.</summary>
    public SimulatedContent Cache { get; private set; } = new();

    /// <summary>Whether a process holds the lock of the file.</summary>
    public bool Locked { get; set; }

    /// <summary>Copies what reads see.</summary>
    public SimulatedInode Copy() => new() { Cache = Cache.Clone(), _platter = Cache.Clone() };

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        var change = new Change(offset, source.ToArray(), null);
        change.ApplyTo(Cache);
        _dirty.Add(change);
    }

    public void SetLength(long length)
    {
        var change = new Change(0, [], length);
        change.ApplyTo(Cache);
        _dirty.Add(change);
    }

    public void Sync()
    {
        foreach (var change in _dirty)
        {
            change.ApplyTo(_platter);
        }

        _dirty.Clear();
    }

    /// <summary>A sync failed: its writes reached the platter or not, by chance, and are clean now: the cache shows them, and no later sync writes them.</summary>
    public void FailSync(Prng prng) => Land(CrashMode.Bytes, prng);

    public void CutPower(CrashMode mode, Prng prng)
    {
        Land(mode, prng);
        Cache = _platter.Clone();
        Locked = false;
    }

    /// <summary>Changes bytes on the platter and in the cache behind everybody's back.</summary>
    public void Damage(long offset, ReadOnlySpan<byte> bytes)
    {
        var change = new Change(offset, bytes.ToArray(), null);
        change.ApplyTo(_platter);
        change.ApplyTo(Cache);
    }

    public void Truncate(long length)
    {
        var change = new Change(0, [], length);
        change.ApplyTo(_platter);
        change.ApplyTo(Cache);
    }

    private static bool Survives(CrashMode mode, Prng prng) => mode switch
    {
        CrashMode.Lose => false,
        CrashMode.Keep => true,
        _ => prng.Chance(1, 2),
    };

    private void Land(CrashMode mode, Prng prng)
    {
        foreach (var change in _dirty)
        {
            if (change.Length is null)
            {
                Land(change, mode, prng);
            }
            else if (Survives(mode, prng))
            {
                change.ApplyTo(_platter);
            }
        }

        _dirty.Clear();
    }

    private void Land(Change change, CrashMode mode, Prng prng)
    {
        var begin = change.Offset;
        var end = change.Offset + change.Bytes.Length;
        var sectors = (int)((end - 1) / SectorBytes) - (int)(begin / SectorBytes) + 1;
        var torn = mode == CrashMode.Bytes && sectors > 0 ? prng.Below(sectors) : -1;
        for (var sector = 0; begin < end; sector++)
        {
            var sectorEnd = Math.Min(end, (begin / SectorBytes * SectorBytes) + SectorBytes);
            var piece = change.Part(begin, sectorEnd);
            if (sector == torn)
            {
                var cut = prng.Between(begin, sectorEnd);
                (prng.Chance(1, 2) ? change.Part(begin, cut) : change.Part(cut, sectorEnd)).ApplyTo(_platter);
            }
            else if (mode == CrashMode.Stale && prng.Chance(1, 3))
            {
                Spoil(piece, prng).ApplyTo(_platter);
            }
            else if (Survives(mode, prng))
            {
                piece.ApplyTo(_platter);
            }

            begin = sectorEnd;
        }
    }

    // Only bytes that were to change can turn into something else: a sector is old, new, or a mixture of both, where both are equal.
    private Change Spoil(Change piece, Prng prng)
    {
        var spoiled = piece.Bytes.ToArray();
        var kind = prng.Below(3);
        var from = prng.Below(Math.Max(_platter.Length, 1));
        var half = spoiled.Length / 2;
        for (var i = 0; i < spoiled.Length; i++)
        {
            var at = piece.Offset + i;
            var old = at < _platter.Length ? _platter[at] : (byte)0;
            if (old != spoiled[i])
            {
                spoiled[i] = kind switch
                {
                    0 => from + i < _platter.Length ? _platter[from + i] : (byte)0,
                    1 => i >= half ? (byte)0 : spoiled[i],
                    _ => prng.Chance(1, 16) ? (byte)prng.Below(256) : spoiled[i],
                };
            }
        }

        return piece with { Bytes = spoiled };
    }

    private sealed record Change(long Offset, byte[] Bytes, long? Length)
    {
        public void ApplyTo(SimulatedContent content)
        {
            if (Length is { } length)
            {
                content.SetLength(length);
            }

            content.Write(Offset, Bytes);
        }

        public Change Part(long begin, long end) => new(begin, Bytes[(int)(begin - Offset)..(int)(end - Offset)], null);

        public bool Covers(Change other) => Offset <= other.Offset && Offset + Bytes.Length >= other.Offset + other.Bytes.Length;
    }
}
