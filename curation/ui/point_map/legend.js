// legend
