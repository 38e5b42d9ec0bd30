return await Cairn.Host.Launcher.RunAsync(args);
