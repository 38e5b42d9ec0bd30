using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace Cairn.Tests.Tidy;

/// <summary>The conventions that a compiler does not check. Each test lists every place that breaks its rule.</summary>
public sealed partial class StyleTests
{
    /// <summary>A method fits a screen; this is the ratchet, not the aim (which is 30).</summary>
    private const int MethodLinesMax = 70;

    /// <summary>A file holds one concept; this is the ratchet, not the aim (which is 400).</summary>
    private const int FileLinesMax = 520;

    private static readonly string[] EmptyNames = ["Manager", "Helper", "Helpers", "Util", "Utils", "Utilities", "Common", "Base", "Impl"];

    [Fact]
    public void Every_method_fits_a_screen()
    {
        var long_ = from file in SourceTree.Files
                    from node in file.Root.DescendantNodes()
                    where node is BaseMethodDeclarationSyntax or LocalFunctionStatementSyntax or AccessorDeclarationSyntax
                    let lines = LineCount(node)
                    where lines > MethodLinesMax
                    select $"{file.Place(node)} has {lines} lines";
        AssertNone(long_);
    }

    [Fact]
    public void Every_file_holds_one_concept()
    {
        AssertNone(SourceTree.Files.Where(file => file.Lines.Length > FileLinesMax).Select(file => $"{file.Path} has {file.Lines.Length} lines"));
    }

    [Fact]
    public void Namespaces_follow_folders()
    {
        var wrong = from file in SourceTree.Files
                    where !file.Path.StartsWith("src/Shared/", StringComparison.Ordinal)
                    from declaration in file.Root.DescendantNodes().OfType<BaseNamespaceDeclarationSyntax>()
                    let expected = string.Join('.', file.Path.Split('/')[1..^1])
                    where declaration.Name.ToString() != expected
                    select $"{file.Path} declares {declaration.Name}, its folder says {expected}";
        AssertNone(wrong);
    }

    [Fact]
    public void Nothing_is_left_for_later()
    {
        AssertNone(LinesMatching(file => file.IsProduct || file.Path.StartsWith("bench/", StringComparison.Ordinal), LeftForLater()));
    }

    [Fact]
    public void There_are_no_regions()
    {
        var regions = from file in SourceTree.Files
                      from trivia in file.Root.DescendantTrivia(descendIntoTrivia: true)
                      where trivia.IsKind(SyntaxKind.RegionDirectiveTrivia)
                      select $"{file.Path}:{trivia.GetLocation().GetLineSpan().StartLinePosition.Line + 1}";
        AssertNone(regions);
    }

    [Fact]
    public void Every_pragma_gives_its_reason()
    {
        var bare = from file in SourceTree.Files
                   from index in Enumerable.Range(0, file.Lines.Length)
                   let line = file.Lines[index].Trim()
                   where line.StartsWith("#pragma warning disable", StringComparison.Ordinal) && !line.Contains("//", StringComparison.Ordinal)
                   select $"{file.Path}:{index + 1}";
        AssertNone(bare);
    }

    [Fact]
    public void Partial_types_belong_to_generators()
    {
        var partial = from file in SourceTree.Files
                      from type in file.Root.DescendantNodes().OfType<TypeDeclarationSyntax>()
                      where type.Modifiers.Any(SyntaxKind.PartialKeyword)
                      where !type.Members.Any(IsGenerated) && !type.DescendantNodes().OfType<TypeDeclarationSyntax>().Any(nested => nested.Members.Any(IsGenerated))
                      select $"{file.Place(type)} {type.Identifier}";
        AssertNone(partial);
    }

    [Fact]
    public void Names_say_what_a_thing_is()
    {
        var empty = from file in SourceTree.Files
                    from type in file.Root.DescendantNodes().OfType<BaseTypeDeclarationSyntax>()
                    where EmptyNames.Any(name => type.Identifier.Text.EndsWith(name, StringComparison.Ordinal))
                    select $"{file.Place(type)} {type.Identifier}";
        AssertNone(empty);
    }

    [Fact]
    public void Every_limit_says_why()
    {
        var silent = from file in SourceTree.Files
                     from field in file.Root.DescendantNodes().OfType<FieldDeclarationSyntax>()
                     where field.Modifiers.Any(SyntaxKind.ConstKeyword) || (field.Modifiers.Any(SyntaxKind.StaticKeyword) && field.Modifiers.Any(SyntaxKind.ReadOnlyKeyword))
                     from variable in field.Declaration.Variables
                     let name = variable.Identifier.Text
                     where name.EndsWith("Max", StringComparison.Ordinal) || name.EndsWith("Capacity", StringComparison.Ordinal)
                     where !field.GetLeadingTrivia().Any(IsComment)
                     select $"{file.Place(field)} {name}";
        AssertNone(silent);
    }

    [Fact]
    public void Catching_everything_gives_its_reason()
    {
        var silent = from file in SourceTree.Files
                     where file.IsProduct
                     from clause in file.Root.DescendantNodes().OfType<CatchClauseSyntax>()
                     where clause.Declaration is null || clause.Declaration.Type.ToString() == "Exception"
                     where clause.Filter is null
                     where !clause.DescendantTrivia().Concat(clause.GetLeadingTrivia()).Any(IsComment)
                     select file.Place(clause);
        AssertNone(silent);
    }

    [Fact]
    public void Tests_do_not_wait_by_the_clock()
    {
        AssertNone(LinesMatching(file => file.Path.StartsWith("tests/Cairn.Tests/", StringComparison.Ordinal) && !file.Path.Contains("/Tidy/", StringComparison.Ordinal), WaitsByTheClock()));
    }

    private static IEnumerable<string> LinesMatching(Func<SourceFile, bool> where, Regex pattern) =>
        from file in SourceTree.Files
        where @where(file)
        from index in Enumerable.Range(0, file.Lines.Length)
        where pattern.IsMatch(file.Lines[index])
        select $"{file.Path}:{index + 1} {file.Lines[index].Trim()}";

    private static int LineCount(SyntaxNode node)
    {
        var span = node.GetLocation().GetLineSpan();
        return span.EndLinePosition.Line - span.StartLinePosition.Line + 1;
    }

    private static bool IsGenerated(MemberDeclarationSyntax member) =>
        member.AttributeLists.SelectMany(list => list.Attributes).Any(attribute =>
            attribute.Name.ToString() is "LoggerMessage" or "GeneratedRegex" or "LibraryImport" or "JsonSerializable");

    private static bool IsComment(SyntaxTrivia trivia) =>
        trivia.IsKind(SyntaxKind.SingleLineCommentTrivia) || trivia.IsKind(SyntaxKind.SingleLineDocumentationCommentTrivia) || trivia.IsKind(SyntaxKind.MultiLineCommentTrivia);

    private static void AssertNone(IEnumerable<string> offenders)
    {
        var list = offenders.ToList();
        Assert.True(list.Count == 0, string.Join('\n', list));
    }

    [GeneratedRegex(@"\b(TODO|FIXME|HACK|XXX)\b|NotImplementedException")]
    private static partial Regex LeftForLater();

    [GeneratedRegex(@"\bThread\.Sleep\b|\bTask\.Delay\(\s*\d|\bTask\.Delay\(TimeSpan\.From\w+\([^)]*\)\s*\)")]
    private static partial Regex WaitsByTheClock();
}
