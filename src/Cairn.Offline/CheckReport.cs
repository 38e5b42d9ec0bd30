using System.Globalization;
using Cairn.Storage;
using Cairn.Storage.Manifest;

namespace Cairn.Offline;

/// <summary>What a check found, in the order in which it looked. One user.</summary>
internal sealed class CheckReport(TextWriter output)
{
    /// <summary>How much is wrong.</summary>
    public int Findings { get; private set; }

    /// <summary>Says what was looked at and is sound.</summary>
    /// <param name="what">A line for a person.</param>
    public void Sound(FormattableString what) => output.WriteLine($"ok       {what.ToString(CultureInfo.InvariantCulture)}");

    /// <summary>Says what is wrong.</summary>
    /// <param name="what">A line for a person.</param>
    public void Wrong(string what)
    {
        Findings++;
        output.WriteLine($"WRONG    {what}");
    }

    /// <summary>Looks at something; what it throws because of damage is a finding.</summary>
    /// <typeparam name="T">What comes of it.</typeparam>
    /// <param name="look">Looks.</param>
    /// <returns>What came of it; null if it is damaged.</returns>
    public async Task<T?> TryAsync<T>(Func<Task<T>> look)
        where T : class
    {
        try
        {
            return await look();
        }
        catch (Exception e) when (e is CorruptionException or UnknownFormatException || IsBrokenInvariant(e))
        {
            Wrong(e.Message);
            return null;
        }
    }

    /// <summary>As <see cref="TryAsync{T}"/>, for what gives no result.</summary>
    /// <param name="look">Looks.</param>
    /// <returns>Whether it is sound.</returns>
    public async Task<bool> TryAsync(Action look) => await TryAsync(() =>
    {
        look();
        return Task.FromResult(this);
    }) is not null;

    /// <summary>By name: every assembly has its own copy of the type.</summary>
    private static bool IsBrokenInvariant(Exception e) => e.GetType().FullName == typeof(InvariantViolatedException).FullName;
}
