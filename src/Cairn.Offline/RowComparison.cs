using System.Text;
using Cairn.Bbolt;

namespace Cairn.Offline;

/// <summary>Compares two stores in etcd's schema, row by row.</summary>
internal static class RowComparison
{
    // One wrong rule differs in every row; the first few say which.
    private const int ShownMax = 10;

    /// <summary>Compares. That authentication is off may be said by a row or by its absence.</summary>
    /// <param name="replayed">What the log makes.</param>
    /// <param name="stored">What is stored.</param>
    /// <param name="report">Where to say what differs.</param>
    public static void Run(IReadOnlyList<BboltBucketContent> replayed, IReadOnlyList<BboltBucketContent> stored, CheckReport report)
    {
        var theirs = stored.ToDictionary(static bucket => Encoding.ASCII.GetString(bucket.Name.Span));
        foreach (var bucket in replayed)
        {
            var name = Encoding.ASCII.GetString(bucket.Name.Span);
            if (!theirs.TryGetValue(name, out var other))
            {
                report.Wrong($"bucket {name}: not stored");
                continue;
            }

            using var left = bucket.OpenRows();
            using var right = other.OpenRows();
            Compare(name, left, right, report);
        }
    }

    private static void Compare(string name, IBboltRows left, IBboltRows right, CheckReport report)
    {
        long rows = 0, different = 0;
        var (hasLeft, hasRight) = (left.MoveNext(), right.MoveNext());
        while (hasLeft || hasRight)
        {
            if (hasRight && IsSwitchedOff(right) && (!hasLeft || !left.Key.SequenceEqual(right.Key)))
            {
                hasRight = right.MoveNext();
                continue;
            }

            var order = !hasLeft ? 1 : !hasRight ? -1 : left.Key.SequenceCompareTo(right.Key);
            if (order != 0 || !Value(left).AsSpan().SequenceEqual(Value(right)))
            {
                different++;
                if (different <= ShownMax)
                {
                    report.Wrong($"bucket {name}, row {Convert.ToHexString(order <= 0 ? left.Key : right.Key)}: {(order < 0 ? "not stored" : order > 0 ? "stored, and not in the log" : Difference(left, right))}");
                }
            }

            rows++;
            hasLeft = order <= 0 ? left.MoveNext() : hasLeft;
            hasRight = order >= 0 ? right.MoveNext() : hasRight;
        }

        if (different == 0)
        {
            report.Sound($"bucket {name}: {rows} rows, equal byte by byte");
        }
        else if (different > ShownMax)
        {
            report.Wrong($"bucket {name}: {different} of {rows} rows differ in all");
        }
    }

    private static bool IsSwitchedOff(IBboltRows row) => row.Key.SequenceEqual("authEnabled"u8) && Value(row) is [0];

    private static string Difference(IBboltRows left, IBboltRows right) => $"the log makes {Show(Value(left))}, stored is {Show(Value(right))}";

    private static string Show(byte[] value) => value.AsSpan().IndexOfAnyExceptInRange((byte)0x20, (byte)0x7e) < 0 ? Encoding.ASCII.GetString(value) : Convert.ToHexString(value);

    private static byte[] Value(IBboltRows rows)
    {
        var value = new byte[rows.ValueLength];
        rows.CopyValue(value);
        return value;
    }
}
