using System.Diagnostics.CodeAnalysis;

namespace Cairn.Server;

/// <summary>What a request came to: a value, or an expected refusal. Never an exception.</summary>
/// <typeparam name="T">Type of the value.</typeparam>
public readonly struct Answer<T>
    where T : class
{
    private Answer(NodeError error, T? value)
    {
        Error = error;
        Value = value;
    }

    /// <summary>Why the request was refused; <see cref="NodeError.None"/> if it was not.</summary>
    public NodeError Error { get; }

    /// <summary>The value; null exactly if the request was refused.</summary>
    public T? Value { get; }

    /// <summary>Whether there is a value.</summary>
    [MemberNotNullWhen(true, nameof(Value))]
    public bool Succeeded => Error == NodeError.None;

    /// <summary>Answers with a value.</summary>
    /// <param name="value">The value.</param>
    public static implicit operator Answer<T>(T value) => new(NodeError.None, value);

    /// <summary>Refuses.</summary>
    /// <param name="error">Why; not <see cref="NodeError.None"/>.</param>
    public static implicit operator Answer<T>(NodeError error) => new(error, null);

    /// <summary>Answers with a value.</summary>
    /// <param name="value">The value.</param>
    /// <returns>The answer.</returns>
    public static Answer<T> Success(T value) => new(NodeError.None, value);

    /// <summary>Refuses.</summary>
    /// <param name="error">Why; not <see cref="NodeError.None"/>.</param>
    /// <returns>The answer.</returns>
    public static Answer<T> Refusal(NodeError error)
    {
        Invariant.Holds(error != NodeError.None);
        return new Answer<T>(error, null);
    }
}
