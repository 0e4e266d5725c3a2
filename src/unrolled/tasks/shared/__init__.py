"""What every task uses: columns, saving, memory, inspection, learning on."""
