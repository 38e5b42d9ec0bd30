using Cairn.Client.Calls;
using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Protocol;

namespace Cairn.Client;

/// <summary>Renews one lease three times in its life, over as many connections and members as that takes. Any thread.</summary>
/// <remarks>Source: etcd client/v3 lease.go.</remarks>
public sealed class LeaseKeeper : IAsyncDisposable
{
    // As etcd's own client: a member that fails is left at once, but a cluster that fails is not flooded.
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromMilliseconds(500);

    private readonly Caller _caller;
    private readonly CancellationTokenSource _disposed = new();
    private readonly CancellationTokenSource _lost = new();
    private readonly Task _loop;
    private long _confirmedAt;
    private TimeSpan _timeToLive;

    internal LeaseKeeper(Caller caller, long id, TimeSpan timeToLive)
    {
        _caller = caller;
        Id = id;
        _timeToLive = timeToLive;
        _confirmedAt = caller.Time.GetTimestamp();
        _loop = RunAsync();
    }

    /// <summary>The lease.</summary>
    public long Id { get; }

    /// <summary>Cancelled when the lease has ended, or may have ended because no renewal was confirmed for its time to live. What relies on the
    /// lease has to stop then.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Stops renewing; the lease itself lives on until its time is over.</summary>
    /// <returns>When nothing is sent any more.</returns>
    public async ValueTask DisposeAsync()
    {
        await _disposed.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _disposed.Dispose();
        _lost.Dispose();
    }

    private async Task RunAsync()
    {
        await Task.Yield();
        try
        {
            while (!_lost.IsCancellationRequested)
            {
                GrpcChannel channel = _caller.Ring.Current;
                await RenewAsync(channel).ConfigureAwait(false);
                _caller.Ring.Leave(channel);
                TimeSpan left = TimeLeft();
                await Task.Delay(left < PauseAfterFailure ? left : PauseAfterFailure, _caller.Time, _disposed.Token).ConfigureAwait(false);
                if (TimeLeft() == TimeSpan.Zero)
                {
                    await LoseAsync().ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (_disposed.IsCancellationRequested)
        {
            // The owner wants no more renewals.
        }
        catch
        {
            // Whatever it was: nobody renews any more, and who relies on the lease has to know.
            await LoseAsync().ConfigureAwait(false);
            throw;
        }
    }

    // Renews over one stream until it fails, or a renewal takes so long that another member has to be asked for the lease to live.
    private async Task RenewAsync(GrpcChannel channel)
    {
        using var overdue = new CancellationTokenSource(PatienceAfter(TimeSpan.Zero), _caller.Time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_disposed.Token, overdue.Token);
        try
        {
            GrpcStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse> stream =
                await _caller.OpenAsync(channel, Methods.LeaseKeepAlive, end.Token).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                while (await ConfirmAsync(stream).ConfigureAwait(false))
                {
                    TimeSpan pause = _timeToLive / 3;
                    overdue.CancelAfter(PatienceAfter(pause));
                    await Task.Delay(pause, _caller.Time, _disposed.Token).ConfigureAwait(false);
                }
            }
        }
        catch (GrpcException e)
        {
            _caller.DropsToken(e);
            _caller.Logger.KeepAliveFailed(Id, e.Status.Message);
        }
        catch (ClientException e)
        {
            _caller.Logger.KeepAliveFailed(Id, e.Message);
        }
        catch (OperationCanceledException) when (!_disposed.IsCancellationRequested)
        {
            _caller.Logger.KeepAliveFailed(Id, "no answer in time");
        }
    }

    private async Task<bool> ConfirmAsync(GrpcStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse> stream)
    {
        // The server counts from when it handled the renewal, which is not before it was sent.
        long sentAt = _caller.Time.GetTimestamp();
        await stream.WriteAsync(new LeaseKeepAliveRequest { ID = Id }).ConfigureAwait(false);
        LeaseKeepAliveResponse response = await stream.ReadAsync().ConfigureAwait(false)
            ?? throw new GrpcException(new GrpcStatus(GrpcStatusCode.Unavailable, "the server ended the stream"));
        if (response.TTL <= 0)
        {
            await LoseAsync().ConfigureAwait(false);
            return false;
        }

        _timeToLive = TimeSpan.FromSeconds(response.TTL);
        _confirmedAt = sentAt;
        return true;
    }

    // A member that hangs keeps its connections. Where there are others, they get the last third of the lease's time.
    private TimeSpan PatienceAfter(TimeSpan pause)
    {
        TimeSpan left = TimeLeft();
        TimeSpan enough = pause + (_timeToLive / 3);
        return _caller.Ring.Count > 1 && enough < left ? enough : left;
    }

    private TimeSpan TimeLeft()
    {
        TimeSpan left = _timeToLive - _caller.Time.GetElapsedTime(_confirmedAt);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private async Task LoseAsync()
    {
        if (!_lost.IsCancellationRequested)
        {
            _caller.Logger.LeaseEnded(Id);
            await _lost.CancelAsync().ConfigureAwait(false);
        }
    }
}
