using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Cairn.Tests.Tidy;

/// <summary>One C# file of the repository, parsed.</summary>
/// <param name="Path">Relative to the repository, with forward slashes.</param>
/// <param name="Root">Its syntax tree.</param>
/// <param name="Lines">Its lines.</param>
internal sealed record SourceFile(string Path, SyntaxNode Root, string[] Lines)
{
    public bool IsProduct => Path.StartsWith("src/", StringComparison.Ordinal);

    public string Place(SyntaxNode node) => $"{Path}:{node.GetLocation().GetLineSpan().StartLinePosition.Line + 1}";
}

/// <summary>The checkout that these tests were built from.</summary>
internal static class SourceTree
{
    private static readonly Lazy<IReadOnlyList<SourceFile>> ParsedFiles = new(Parse);

    /// <summary>Directory that holds Cairn.slnx.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>All C# files under src, tests and bench, in ordinal order of their paths.</summary>
    public static IReadOnlyList<SourceFile> Files => ParsedFiles.Value;

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(System.IO.Path.Combine(directory.FullName, "Cairn.slnx")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("These tests must run from a build inside the checkout: Cairn.slnx was not found above them.");
    }

    /// <summary>Leaves out what builds leave behind: the output of a build that was started below the root.</summary>
    private static bool IsSource(string path) => !path.Replace('\\', '/').Contains("/artifacts/", StringComparison.Ordinal);

    private static List<SourceFile> Parse()
    {
        var files = new List<SourceFile>();
        foreach (var top in new[] { "src", "tests", "bench" })
        {
            foreach (var path in Directory.EnumerateFiles(System.IO.Path.Combine(Root, top), "*.cs", SearchOption.AllDirectories).Where(IsSource))
            {
                var text = File.ReadAllText(path);
                var relative = System.IO.Path.GetRelativePath(Root, path).Replace('\\', '/');
                files.Add(new SourceFile(relative, CSharpSyntaxTree.ParseText(text).GetRoot(), text.Split('\n')));
            }
        }

        files.Sort((left, right) => string.CompareOrdinal(left.Path, right.Path));
        return files;
    }
}
