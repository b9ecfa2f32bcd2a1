# As much of nixpkgs as flake.nix uses, so that a test can evaluate it without a network. Packages are empty
# derivations of the right name; a name that is not listed here fails, as a misspelt one would in nixpkgs.
# What nixpkgs itself does when it builds is not covered by this.
{
  outputs =
    { self }:
    let
      lib = {
        genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
        importJSON = path: builtins.fromJSON (builtins.readFile path);
        concatMapStrings = f: list: builtins.concatStringsSep "" (map f list);
        makeLibraryPath = list: builtins.concatStringsSep ":" (map (p: "${p}/lib") list);
        getExe = p: "${p}/bin/${p.mainProgram}";
        licenses.mit = "MIT";
        platforms.linux = [ "x86_64-linux" "aarch64-linux" ];
      };
      packagesFor =
        system:
        let
          derive =
            name: args:
            derivation (
              {
                inherit name system;
                builder = "/bin/sh";
              }
              // removeAttrs args [ "cargoLock" "meta" "passthru" ]
            );
          make = args: derive "${args.pname}-${args.version}" args;
          names = [
            "alsa-lib" "alsa-plugins" "alsa-utils" "bun" "cargo" "clippy" "heaptrack" "hotspot" "jack-example-tools"
            "jack2" "libjack2" "patchelf" "perf" "pipewire" "pkg-config" "pulseaudio" "rt-tests" "rtkit"
            "rust-analyzer" "rustc" "rustfmt" "strace" "valgrind"
          ];
        in
        lib.genAttrs names (name: derive name { })
        // {
          nodejs = derive "nodejs" { } // { mainProgram = "node"; };
          runtimeShell = "/bin/sh";
          rustPlatform.buildRustPackage = args: assert builtins.pathExists args.cargoLock.lockFile; make args;
          runCommand = name: args: script: derive name (args // { inherit script; });
          mkShell = args: derive "shell" args;
          stdenvNoCC.mkDerivation = make;
          stdenv.hostPlatform = {
            inherit system;
            isAarch64 = system == "aarch64-linux";
          };
        };
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] packagesFor;
    };
}
