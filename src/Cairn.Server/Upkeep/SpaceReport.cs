using System.Globalization;
using System.Text;

namespace Cairn.Server.Upkeep;

/// <summary>Says what takes the space of a store that is full: rows that live, and below which prefixes, or history, which a compaction would free.</summary>
/// <remarks>The housekeeping loop makes it; <see cref="Text"/> may be asked from any thread.</remarks>
/// <param name="node">The node.</param>
internal sealed class SpaceReport(NodeRuntime node)
{
    // Keys looked at in one go: a few milliseconds, between which others get their turn.
    private const int KeysPerStep = 10_000;

    // A prefix that holds a tenth of the quota is worth naming; so at most ten are.
    private const int ShareParts = 10;

    // More would not fit a line that people read.
    private const int NamesMax = 5;

    private static readonly TimeSpan FreshFor = TimeSpan.FromMinutes(1);

    private long _madeAt;
    private string? _text;

    /// <summary>The newest report; null before the first.</summary>
    public string? Text => Volatile.Read(ref _text);

    /// <summary>Makes the report, unless it is fresh, and logs it.</summary>
    /// <param name="quota">The limit, in bytes.</param>
    public async Task RefreshAsync(long quota)
    {
        if (_madeAt != 0 && node.Time.GetElapsedTime(_madeAt) < FreshFor)
        {
            return;
        }

        _madeAt = node.Time.GetTimestamp();
        var used = node.RevisionLog.LiveBytes;
        var cursor = node.View.OpenSpace(Math.Max(quota / ShareParts, 1));
        while (cursor.Step(KeysPerStep))
        {
            await Task.Yield();
        }

        var text = new StringBuilder(string.Create(
            CultureInfo.InvariantCulture, $"{used} of {quota} bytes are in use; {cursor.LiveBytes} are rows that live, {Math.Max(used - cursor.LiveBytes, 0)} history"));
        text.Append(cursor.LiveBytes < quota / 2 ? ": compact it (etcdctl compaction)" : ": delete keys, or raise --quota-backend-bytes");
        var separator = "; most lies below ";
        foreach (var prefix in cursor.Prefixes.Take(NamesMax))
        {
            var name = prefix.Prefix.Length == 0 ? "no prefix of its own" : Encoding.UTF8.GetString(prefix.Prefix);
            text.Append(CultureInfo.InvariantCulture, $"{separator}{name} ({prefix.Bytes} bytes)");
            separator = ", ";
        }

        Volatile.Write(ref _text, text.ToString());
        node.Logger.SpaceExplained(text.ToString());
    }
}
