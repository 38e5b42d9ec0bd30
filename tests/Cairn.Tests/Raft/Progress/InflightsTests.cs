using Cairn.Raft.Progress;
using Xunit;

namespace Cairn.Tests.Raft.Progress;

public sealed class InflightsTests
{
    [Fact]
    public void Window_is_full_at_its_count()
    {
        var inflights = new Inflights(2, 0);
        inflights.Add(1, 100);
        Assert.False(inflights.IsFull);

        inflights.Add(2, 100);

        Assert.True(inflights.IsFull);
        Assert.ThrowsAny<Exception>(() => inflights.Add(3, 1));
    }

    [Fact]
    public void Window_is_full_when_its_bytes_are_reached_by_the_message_that_crosses_them()
    {
        var inflights = new Inflights(10, 100);
        inflights.Add(1, 99);
        Assert.False(inflights.IsFull);

        inflights.Add(2, 500);
        Assert.True(inflights.IsFull);
        inflights.FreeUpTo(2);

        Assert.False(inflights.IsFull);
    }

    [Fact]
    public void Random_operations_agree_with_a_queue()
    {
        var prng = new Prng(3);
        foreach (var (countMax, bytesMax) in new[] { (1, 0UL), (3, 50UL), (7, 0UL), (64, 300UL), (int.MaxValue, 100UL) })
        {
            var inflights = new Inflights(countMax, bytesMax);
            var model = new Queue<(ulong Index, ulong Bytes)>();
            var index = 0UL;
            for (var step = 0; step < 5_000; step++)
            {
                if (!inflights.IsFull && prng.Chance(2, 3))
                {
                    index += 1 + (ulong)prng.Below(3);
                    var bytes = (ulong)prng.Below(30);
                    inflights.Add(index, bytes);
                    model.Enqueue((index, bytes));
                }
                else
                {
                    var upTo = index - Math.Min(index, (ulong)prng.Below(6));
                    inflights.FreeUpTo(upTo);
                    while (model.TryPeek(out var first) && first.Index <= upTo)
                    {
                        model.Dequeue();
                    }
                }

                var bytesNow = model.Aggregate(0UL, (sum, message) => sum + message.Bytes);
                Assert.Equal(model.Count, inflights.Count);
                Assert.Equal(model.Count == countMax || (bytesMax != 0 && bytesNow >= bytesMax), inflights.IsFull);
            }
        }
    }
}
