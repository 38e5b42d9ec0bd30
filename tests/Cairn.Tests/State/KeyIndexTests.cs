using System.Text;
using Cairn.State.Mvcc;
using Cairn.Storage;
using Xunit;

namespace Cairn.Tests.State;

public sealed class KeyIndexTests
{
    [Theory]
    [InlineData(1, 40, 3)]
    [InlineData(2, 5_000, 4)]
    [InlineData(3, 60, 12)]
    [InlineData(4, 20_000, 9)]
    public void Random_insertions_and_removals_keep_order_and_older_roots(ulong seed, int keys, int keyBytes)
    {
        var prng = new Prng(seed);
        var index = new KeyIndex();
        var model = new SortedDictionary<string, long>(StringComparer.Ordinal);
        var sealedRoots = new List<(IndexNode Root, string[] Keys)>();
        long revision = 1;
        for (var step = 0; step < 20_000; step++)
        {
            var key = KeyOf(prng.Below(keys), keyBytes);
            if (model.ContainsKey(key) && prng.Chance(1, 2))
            {
                index.Remove(Encoding.Latin1.GetBytes(key));
                model.Remove(key);
            }
            else if (!model.ContainsKey(key))
            {
                index.Insert(History(key, ++revision));
                model.Add(key, revision);
            }
            else
            {
                index.Replace(History(key, ++revision));
                model[key] = revision;
            }

            if (prng.Chance(1, 50))
            {
                var root = index.Seal();
                if (prng.Chance(1, 20))
                {
                    sealedRoots.Add((root, [.. model.Keys]));
                }
            }
        }

        index.AssertInvariants();
        Assert.Equal(model.Values, Walk(index.Root, "").Select(history => history.Newest.Main));
        foreach (var (root, expected) in sealedRoots)
        {
            Assert.Equal(expected, Walk(root, "").Select(history => Encoding.Latin1.GetString(history.Key)));
        }

        for (var i = 0; i < 200; i++)
        {
            var from = KeyOf(prng.Below(keys), keyBytes);
            Assert.Equal(
                model.Keys.Where(key => string.CompareOrdinal(key, from) >= 0).Take(3),
                Walk(index.Root, from).Take(3).Select(history => Encoding.Latin1.GetString(history.Key)));
            Assert.Equal(model.GetValueOrDefault(from), index.Find(Encoding.Latin1.GetBytes(from))?.Newest.Main ?? 0);
        }
    }

    [Fact]
    public void Everything_can_be_removed_and_put_back()
    {
        var index = new KeyIndex();
        for (var round = 0; round < 3; round++)
        {
            for (var i = 0; i < 5000; i++)
            {
                index.Insert(History($"k{i:00000}", 5));
            }

            index.Seal();
            for (var i = 4999; i >= 0; i--)
            {
                index.Remove(Encoding.Latin1.GetBytes($"k{(i * 7) % 5000:00000}"));
            }

            index.AssertInvariants();
            Assert.Equal(0, index.Count);
            Assert.Empty(Walk(index.Root, ""));
        }
    }

    [Fact]
    public void Keys_that_differ_by_trailing_zeros_are_different()
    {
        var index = new KeyIndex();
        var keys = Enumerable.Range(0, 40).Select(i => "p" + new string('\0', i)).ToList();
        foreach (var key in keys.AsEnumerable().Reverse())
        {
            index.Insert(History(key, 5));
        }

        index.AssertInvariants();
        Assert.Equal(keys, Walk(index.Root, "").Select(history => Encoding.Latin1.GetString(history.Key)));
        Assert.All(keys, key => Assert.Equal(key, Encoding.Latin1.GetString(index.Find(Encoding.Latin1.GetBytes(key))!.Key)));
        Assert.Null(index.Find("q"u8));
        Assert.Null(index.Find("o"u8));
        Assert.Null(index.Find(""u8));
    }

    [Fact]
    public void A_built_index_is_like_one_that_grew()
    {
        var builder = new IndexBuilder();
        for (var i = 0; i < 3000; i++)
        {
            builder.Add(History($"k{i:00000}", i + 2));
        }

        var index = builder.Build();

        index.AssertInvariants();
        Assert.Equal(3000, index.Count);
        Assert.Equal(1502, index.Find("k01500"u8)!.Newest.Main);
        index.Insert(History("k015005", 9000));
        index.Remove("k00000"u8);
        index.AssertInvariants();
    }

    private static IEnumerable<KeyHistory> Walk(IndexNode root, string from)
    {
        var cursor = new IndexCursor(root, Encoding.Latin1.GetBytes(from), default);
        while (cursor.MoveNext())
        {
            yield return cursor.Current;
        }
    }

    // Digits of a base that fits: long shared prefixes for some lengths, early differences for others.
    private static string KeyOf(int number, int bytes) =>
        bytes >= 9 ? $"/registry/{number:00000}{new string('x', number % 3)}" : Convert.ToString(number, 16).PadLeft(bytes, '0');

    private static KeyHistory History(string key, long revision) =>
        new(Encoding.Latin1.GetBytes(key), RecordVersion.Put(new Revision(revision, 0), hasLease: false, default), new RecordNumbers(revision, 1));
}
