using System.Text;
using Cairn.Protocol;
using Cairn.Server.Watch;
using Xunit;

namespace Cairn.Tests.Server.Watch;

public sealed class WatcherIndexTests
{
    [Fact]
    public void Finds_what_a_look_at_every_watcher_finds_while_watchers_come_and_go()
    {
        var prng = new Prng(11);
        var bench = new WatchBench();
        using var stream = bench.Open();
        var index = new WatcherIndex(seed: 3);
        var all = new List<Watcher>();
        for (var step = 0; step < 20_000; step++)
        {
            if (all.Count > 0 && prng.Chance(2, 5))
            {
                var at = prng.Below(all.Count);
                index.Remove(all[at]);
                all.RemoveAt(at);
            }
            else
            {
                all.Add(MakeWatcher(prng, stream, step));
                index.Add(all[^1]);
            }

            var key = RandomKey(prng);
            var found = new List<WatcherIndex.Group>();
            index.Find(key, found);
            var ids = found.SelectMany(group => group.Watchers).Select(watcher => watcher.Id).Order();
            Assert.Equal(all.Where(watcher => watcher.Range.Contains(key)).Select(watcher => watcher.Id).Order(), ids);
            Assert.Equal(all.Count, index.Count);
        }
    }

    private static Watcher MakeWatcher(Prng prng, WatchStream stream, int id)
    {
        while (true)
        {
            byte[] end = prng.Below(4) switch { 0 => [], 1 => [0], _ => RandomKey(prng) };
            if (KeyRange.TryCreate(RandomKey(prng), end, out var range))
            {
                return new Watcher { Id = id, Stream = stream, Request = new WatchCreateRequest(), Range = range, Start = 1 };
            }
        }
    }

    private static byte[] RandomKey(Prng prng) => Encoding.ASCII.GetBytes(prng.Below(40).ToString("d2", System.Globalization.CultureInfo.InvariantCulture));
}
