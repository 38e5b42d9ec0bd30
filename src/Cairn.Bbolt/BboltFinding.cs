namespace Cairn.Bbolt;

/// <summary>One place of a bbolt file that is not as bbolt writes it.</summary>
/// <param name="Offset">Byte offset in the file of what is wrong: the field, the element or the page that holds it.</param>
/// <param name="What">What is wrong, as a clause ("page 7 says that it is page 9").</param>
public readonly record struct BboltFinding(long Offset, string What)
{
    /// <summary>Formats the finding as it is shown to a person.</summary>
    /// <returns>Offset and clause.</returns>
    public override string ToString() => $"offset {Offset}: {What}";
}
