# The formula for Homebrew. `release/formula.sh` replaces what is between @ signs; the result belongs to a tap, into Formula/.
class Taskcat < Formula
  desc "Tests CloudFormation templates by launching them"
  homepage "@HOMEPAGE@"
  version "@VERSION@"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "@HOMEPAGE@/releases/download/v@VERSION@/taskcat-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256:aarch64-apple-darwin@"
    end
    on_intel do
      url "@HOMEPAGE@/releases/download/v@VERSION@/taskcat-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256:x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "@HOMEPAGE@/releases/download/v@VERSION@/taskcat-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:aarch64-unknown-linux-musl@"
    end
    on_intel do
      url "@HOMEPAGE@/releases/download/v@VERSION@/taskcat-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:x86_64-unknown-linux-musl@"
    end
  end

  def install
    bin.install "taskcat"
    generate_completions_from_executable(bin/"taskcat", "completions")
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/taskcat --version")
  end
end
