using System.Runtime.InteropServices;

namespace Cairn.State.Mvcc;

/// <summary>What the keys below one prefix take.</summary>
/// <param name="Prefix">The prefix, its last slash included; empty for keys that have nothing in common.</param>
/// <param name="Bytes">Bytes of the newest rows below it, without those below longer prefixes that are named themselves.</param>
public readonly record struct PrefixSpace(byte[] Prefix, long Bytes);

/// <summary>Finds out, step by step, how much is taken by rows that live, and below which prefixes most of it lies.</summary>
/// <remarks>
/// <para>
/// Keys are taken for paths: a prefix ends with a slash. Named are the longest prefixes that hold a share of their own; what lies below a named prefix does not
/// count for those above it. Example, a share being 10: /a/1 6, /a/2 6, /b/x/1 8, /b/x/2 9, /b/y 3 names /a/ (12) and /b/x/ (17), and neither /b/ (3 are left) nor /.
/// </para>
/// <para>One walk in the order of keys: the prefixes of the last key are open, and closed when a key comes that is not below them. Owned by its caller.</para>
/// </remarks>
public sealed class SpaceCursor
{
    private const byte Separator = (byte)'/';

    // Paths go no deeper for this purpose: who looks for what is large wants to see the roots of it.
    private const int LevelsMax = 8;

    private readonly IndexCursor _walk;
    private readonly long _revision;
    private readonly long _share;
    private readonly List<(int Length, long Bytes)> _open = [(0, 0)];
    private readonly List<PrefixSpace> _found = [];
    private byte[] _last = [];

    internal SpaceCursor(KeySpaceView view, long share)
    {
        Invariant.Holds(share > 0);
        _walk = new IndexCursor(view.Root, default, default);
        _revision = view.Revision;
        _share = share;
    }

    /// <summary>Bytes of the newest rows of all keys that exist, as far as it went.</summary>
    public long LiveBytes { get; private set; }

    /// <summary>The prefixes that hold a share, largest first; complete after the last step.</summary>
    public IReadOnlyList<PrefixSpace> Prefixes => [.. _found.OrderByDescending(static prefix => prefix.Bytes)];

    /// <summary>Looks at some keys more.</summary>
    /// <param name="keys">How many at most.</param>
    /// <returns>True if there may be more.</returns>
    public bool Step(int keys)
    {
        Invariant.Holds(keys > 0);
        for (; keys > 0; keys--)
        {
            if (!_walk.MoveNext())
            {
                CloseDownTo(0);
                Close(0, _open[0].Bytes);
                return false;
            }

            var history = _walk.Current;
            if (history.TryGetAt(_revision, out var version))
            {
                Count(history.Key, version.Place.RecordBytes);
            }
        }

        return true;
    }

    private void Count(byte[] key, long bytes)
    {
        CloseDownTo(key.AsSpan().CommonPrefixLength(_last));
        for (var i = _open[^1].Length; i < key.Length && _open.Count < LevelsMax; i++)
        {
            if (key[i] == Separator)
            {
                _open.Add((i + 1, 0));
            }
        }

        CollectionsMarshal.AsSpan(_open)[^1].Bytes += bytes;
        LiveBytes += bytes;
        _last = key;
    }

    /// <summary>Closes the prefixes that are longer than what the next key has in common with the last.</summary>
    private void CloseDownTo(int common)
    {
        while (_open[^1].Length > common)
        {
            var (length, bytes) = _open[^1];
            _open.RemoveAt(_open.Count - 1);
            if (!Close(length, bytes))
            {
                CollectionsMarshal.AsSpan(_open)[^1].Bytes += bytes;
            }
        }
    }

    private bool Close(int length, long bytes)
    {
        if (bytes >= _share)
        {
            _found.Add(new PrefixSpace(_last[..length], bytes));
        }

        return bytes >= _share;
    }
}
