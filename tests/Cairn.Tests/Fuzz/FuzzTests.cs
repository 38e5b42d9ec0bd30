using System.Globalization;
using Xunit;

namespace Cairn.Tests.Fuzz;

/// <summary>
/// Every parser of what comes from outside, fed with what nobody should send: it says what is wrong in the way that its callers expect, and takes no more memory than its input
/// allows. CAIRN_FUZZ_EXECUTIONS asks for more executions of each than continuous integration has time for, CAIRN_FUZZ_SEED for others.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const int DefaultExecutions = 3000;

    // A table or two, and the buffer that a message of the largest size needs.
    private const long AllocatedBytesMax = 4 * 1024 * 1024;

    // A parser may copy what it reads a few times over, and an object for each byte or two is the worst that JSON and protobuf come to.
    private const int AllocatedPerInputByteMax = 400;

    public static TheoryData<string> Parsers => [.. FuzzTargets.All.Keys];

    [Theory]
    [MemberData(nameof(Parsers))]
    public void A_parser_survives_whatever_it_is_given(string parser)
    {
        var (parse, corpus) = FuzzTargets.All[parser];
        var executions = Number("CAIRN_FUZZ_EXECUTIONS", DefaultExecutions);
        var mutator = new Mutator(new Prng((ulong)Number("CAIRN_FUZZ_SEED", 1)), corpus);
        var accepted = corpus.Count(input => Parse(parser, parse, input));
        Assert.True(accepted > 0, $"{parser}: nothing of the corpus is accepted, so that mutations of it show little");
        for (var i = 0; i < executions; i++)
        {
            var input = mutator.Next();
            if (Parse(parser, parse, input))
            {
                accepted++;
                mutator.Keep(input);
            }
        }

        output.WriteLine($"{parser}: {executions} executions, {accepted} inputs were accepted");
    }

    private static bool Parse(string parser, Func<byte[], bool> parse, byte[] input)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        bool accepted;
        try
        {
            accepted = parse(input);
        }
        catch (Exception e)
        {
            // Whatever it is, no caller expects it.
            throw new InvalidOperationException($"{parser} failed on {Convert.ToHexString(input)}", e);
        }

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated <= AllocatedBytesMax + ((long)AllocatedPerInputByteMax * input.Length), $"{parser} took {allocated} bytes for {Convert.ToHexString(input)}");
        return accepted;
    }

    private static int Number(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
