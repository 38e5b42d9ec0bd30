using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using Xunit.v3;

[assembly: Shared.TestLimit]

namespace Shared;

/// <summary>Ends the whole run, by name, when one test takes more than the minutes that CAIRN_TEST_MINUTES_MAX says: a test that hangs is a failure that somebody can look at, not a
/// gate that never answers. Without the variable nothing is limited.</summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class TestLimitAttribute : BeforeAfterTestAttribute
{
    private static readonly ConcurrentDictionary<string, Timer> Running = new();

    private static readonly TimeSpan? Limit =
        double.TryParse(Environment.GetEnvironmentVariable("CAIRN_TEST_MINUTES_MAX"), CultureInfo.InvariantCulture, out var minutes) ? TimeSpan.FromMinutes(minutes) : null;

    /// <inheritdoc/>
    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (Limit is { } limit)
        {
            Running[test.UniqueID] = new Timer(_ => GiveUp(test.TestDisplayName, limit), null, limit, Timeout.InfiniteTimeSpan);
        }
    }

    /// <inheritdoc/>
    public override void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (Running.TryRemove(test.UniqueID, out var timer))
        {
            timer.Dispose();
        }
    }

    private static void GiveUp(string test, TimeSpan limit)
    {
        Console.Error.WriteLine(FormattableString.Invariant($"{test} did not end within {limit.TotalMinutes} minutes"));
        Environment.Exit(1);
    }
}
