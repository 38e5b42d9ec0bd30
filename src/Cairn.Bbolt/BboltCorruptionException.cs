namespace Cairn.Bbolt;

/// <summary>The bytes read are not a bbolt file, or not an undamaged one.</summary>
/// <remarks>The reader does not know the name of what it reads; whoever opened the file adds it.</remarks>
public sealed class BboltCorruptionException : Exception
{
    /// <summary>Reports damage.</summary>
    /// <param name="finding">Where, and what is wrong.</param>
    public BboltCorruptionException(BboltFinding finding)
        : base(finding.ToString())
    {
        Finding = finding;
    }

    /// <summary>Where, and what is wrong.</summary>
    public BboltFinding Finding { get; }

    /// <summary>Byte offset in the file of what is wrong.</summary>
    public long Offset => Finding.Offset;
}
