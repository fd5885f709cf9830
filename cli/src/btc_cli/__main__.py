"""`python -m btc_cli`, which the file `agent` in the checkout calls."""

from btc_cli.app import main

if __name__ == "__main__":
    main()
