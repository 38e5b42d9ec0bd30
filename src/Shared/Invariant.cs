using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Cairn;

/// <summary>Checks what must be true if this program is right. Stays on in production.</summary>
/// <remarks>
/// A violated invariant is a bug of ours, never bad input: it throws <see cref="InvariantViolatedException"/>, which nobody catches but the top of a
/// loop, and which ends the process. Going on would turn a bug into lost or wrong data.
/// </remarks>
internal static class Invariant
{
    /// <summary>Ends the process unless <paramref name="condition"/> holds; the message is the checked expression itself.</summary>
    /// <param name="condition">What must be true.</param>
    /// <param name="expression">Filled in by the compiler.</param>
    /// <exception cref="InvariantViolatedException">The condition is false.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Holds([DoesNotReturnIf(false)] bool condition, [CallerArgumentExpression(nameof(condition))] string expression = "")
    {
        if (!condition)
        {
            Fail(expression);
        }
    }

    /// <summary>As <see cref="Holds(bool, string)"/>, with facts for the person who reads the report.</summary>
    /// <param name="condition">What must be true.</param>
    /// <param name="facts">The values that matter; only formatted when the condition is false.</param>
    /// <param name="expression">Filled in by the compiler.</param>
    /// <exception cref="InvariantViolatedException">The condition is false.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Holds(
        [DoesNotReturnIf(false)] bool condition,
        [InterpolatedStringHandlerArgument(nameof(condition))] ref FactsHandler facts,
        [CallerArgumentExpression(nameof(condition))] string expression = "")
    {
        if (!condition)
        {
            Fail($"{expression} ({facts.ToStringAndClear()})");
        }
    }

    /// <summary>Marks a place that cannot be reached.</summary>
    /// <param name="why">Why it cannot be reached, and what was seen.</param>
    /// <returns>Never; typed so that it can stand in a throw expression.</returns>
    [DoesNotReturn]
    public static InvariantViolatedException Unreachable(string why)
    {
        Fail($"unreachable: {why}");
        return null;
    }

    [DoesNotReturn]
    private static void Fail(string expression) => throw new InvariantViolatedException(expression);

    /// <summary>Formats facts only when an invariant failed, so that a held one costs nothing.</summary>
    [InterpolatedStringHandler]
    public ref struct FactsHandler
    {
        private DefaultInterpolatedStringHandler _inner;

        /// <summary>Called by the compiler.</summary>
        /// <param name="literalLength">Characters of literal text.</param>
        /// <param name="formattedCount">Number of holes.</param>
        /// <param name="condition">The condition that decides whether anything is formatted.</param>
        /// <param name="shouldAppend">Whether the holes are evaluated.</param>
        public FactsHandler(int literalLength, int formattedCount, bool condition, out bool shouldAppend)
        {
            shouldAppend = !condition;
            _inner = condition ? default : new DefaultInterpolatedStringHandler(literalLength, formattedCount);
        }

        /// <summary>Called by the compiler.</summary>
        /// <param name="text">Literal text.</param>
        public void AppendLiteral(string text) => _inner.AppendLiteral(text);

        /// <summary>Called by the compiler.</summary>
        /// <typeparam name="T">Type of the value.</typeparam>
        /// <param name="value">A fact.</param>
        public void AppendFormatted<T>(T value) => _inner.AppendFormatted(value);

        internal string ToStringAndClear() => _inner.ToStringAndClear();
    }
}

/// <summary>This program is wrong: a condition that its correctness rests on is false.</summary>
/// <param name="expression">The condition, as written in the source.</param>
internal sealed class InvariantViolatedException(string expression) : Exception($"invariant violated: {expression}");
