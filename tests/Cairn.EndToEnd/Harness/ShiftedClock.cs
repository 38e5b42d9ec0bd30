using System.Buffers.Binary;
using Xunit;

namespace Cairn.EndToEnd.Harness;

/// <summary>Moves the wall clock of one process while it runs, and nothing else: a library loaded before libc. Needs gcc; without, the test is skipped.</summary>
internal sealed class ShiftedClock
{
    private const string Source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/time.h>
        #include <time.h>

        static volatile long long *shift;

        __attribute__((constructor)) static void begin(void)
        {
            const char *path = getenv("SHIFTED_CLOCK");
            int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
            void *page = file < 0 ? MAP_FAILED : mmap(0, sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
            shift = page == MAP_FAILED ? 0 : page;
        }

        int clock_gettime(clockid_t clock, struct timespec *now)
        {
            static int (*real)(clockid_t, struct timespec *);
            if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
            int result = real(clock, now);
            if (!result && shift && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *shift;
            return result;
        }

        int gettimeofday(struct timeval *now, void *zone)
        {
            static int (*real)(struct timeval *, void *);
            if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
            int result = real(now, zone);
            if (!result && shift) now->tv_sec += *shift;
            return result;
        }

        time_t time(time_t *now)
        {
            struct timespec t;
            clock_gettime(CLOCK_REALTIME, &t);
            if (now) *now = t.tv_sec;
            return t.tv_sec;
        }
        """;

    private readonly string _library;
    private readonly string _file;

    private ShiftedClock(string library, string file)
    {
        _library = library;
        _file = file;
        Shift(TimeSpan.Zero);
    }

    /// <summary>What the process must be started with.</summary>
    public IReadOnlyDictionary<string, string> Variables => new Dictionary<string, string> { ["LD_PRELOAD"] = _library, ["SHIFTED_CLOCK"] = _file };

    /// <summary>Makes clocks.</summary>
    /// <param name="directory">Where their files are kept.</param>
    /// <param name="count">How many.</param>
    /// <returns>The clocks, right at first.</returns>
    public static async Task<ShiftedClock[]> MakeAsync(string directory, int count)
    {
        var compiler = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(static path => Path.Combine(path, "gcc")).FirstOrDefault(File.Exists);
        Assert.SkipWhen(compiler is null, "gcc is not installed");
        var (source, library) = (Path.Combine(directory, "clock.c"), Path.Combine(directory, "clock.so"));
        await File.WriteAllTextAsync(source, Source);
        await using var run = ProgramRun.Start(compiler!, ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]); // Skipped above if there is none.
        Assert.True(await run.EndAsync() == 0, run.Said);
        return [.. Enumerable.Range(0, count).Select(i => new ShiftedClock(library, Path.Combine(directory, $"clock.{i}")))];
    }

    /// <summary>Sets how far the clock is off.</summary>
    /// <param name="by">How far; whole seconds.</param>
    public void Shift(TimeSpan by)
    {
        var bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, (long)by.TotalSeconds);
        using var file = new FileStream(_file, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
        file.Write(bytes);
    }
}
