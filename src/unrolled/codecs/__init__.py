"""Codecs: conversion of raw column values to numbers and back."""
