using System.Diagnostics;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Cairn.Host.Listening;

/// <summary>
/// Registers Kestrel as a web host would. Its public constructor gives connections buffers out of the shared pool of arrays, which holds few: a thousand connections that are in the middle of
/// something then allocate all they read, and each collection of the young moves it. Registered, it has pinned blocks of its own, and gives them back when they are not needed for a while.
/// </summary>
/// <param name="services">Receives the registrations.</param>
internal sealed class KestrelParts(IServiceCollection services) : IWebHostBuilder
{
    /// <summary>Sets Kestrel up on sockets and on ports that two protocols share.</summary>
    /// <param name="options">Its options.</param>
    /// <param name="sockets">Changes the options of sockets.</param>
    /// <param name="loggers">Where its log goes.</param>
    /// <returns>Where the server and the sockets come from; disposing it disposes them.</returns>
    public static ServiceProvider Build(KestrelServerOptions options, Action<SocketTransportOptions> sockets, ILoggerFactory loggers)
    {
        var services = new ServiceCollection();
        services.AddSingleton(loggers).AddMetrics().AddSingleton<DiagnosticSource>(static _ => new DiagnosticListener("Microsoft.AspNetCore"));
        new KestrelParts(services).UseKestrelCore();
        services.Configure(sockets).AddSingleton(Options.Create(options)).AddSingleton<SocketTransportFactory>();
        services.Replace(ServiceDescriptor.Singleton<IConnectionListenerFactory>(static all => new SharedPortListenerFactory(all.GetRequiredService<SocketTransportFactory>())));
        ServiceProvider parts = services.BuildServiceProvider();
        options.ApplicationServices = parts;
        return parts;
    }

    /// <inheritdoc/>
    public IWebHostBuilder ConfigureServices(Action<IServiceCollection> configureServices)
    {
        configureServices(services);
        return this;
    }

    /// <inheritdoc/>
    public IWebHostBuilder ConfigureServices(Action<WebHostBuilderContext, IServiceCollection> configureServices)
    {
        configureServices(new WebHostBuilderContext(), services);
        return this;
    }

    /// <inheritdoc/>
    public IWebHostBuilder ConfigureAppConfiguration(Action<WebHostBuilderContext, IConfigurationBuilder> configureDelegate) => this;

    /// <inheritdoc/>
    public string? GetSetting(string key) => null;

    /// <inheritdoc/>
    public IWebHostBuilder UseSetting(string key, string? value) => this;

#pragma warning disable ASPDEPR008 // Part of the interface: nobody builds a host here.
    /// <inheritdoc/>
    public IWebHost Build() => throw new NotSupportedException("Only registrations are taken.");
#pragma warning restore ASPDEPR008
}
